"""GET /journal.beancount and /journal.csv: all books as one double-entry journal, for who sees all."""

from datetime import UTC, date, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alliance.journal import export
from domain.errors import InvalidInput
from resolvers.context import Context, House, language_of
from resolvers.policy import Denied
from resolvers.viewer import Verifier
from schema.policies import JOURNAL
from server.callers import Refused, viewer_of

MEDIA = {"beancount": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8"}


class Journal:
    """The endpoint. A merchant has its statements: here are all merchants' sides (A14)."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The whole journal, or that of the days `from` and `to`, both included."""
        format_: export.Format = "csv" if request.url.path.endswith(".csv") else "beancount"
        try:
            context = self._signed_in(request)
            first, last = (_day(request, name) for name in ("from", "to"))
            export.require_days(first, last)
        except Refused as refused:
            return refused.response()
        except InvalidInput as wrong:
            return Refused(400, "BAD_USER_INPUT", wrong.message(context.language)).response()
        runtime = context.runtime
        return StreamingResponse(
            export.journal(runtime.database, runtime.catalogue, format_, first, last),
            media_type=MEDIA[format_],
            headers={"content-disposition": f'attachment; filename="journal.{format_}"'},
        )

    def _signed_in(self, request: Request) -> Context:
        viewer = viewer_of(self._verifier, request.headers)
        try:
            JOURNAL.require(viewer)
        except Denied as denied:
            raise Refused(403, denied.code, str(denied)) from None
        return Context(self._house, viewer, datetime.now(UTC), language_of(request.headers.get("accept-language", "")))


def _day(request: Request, name: str) -> date | None:
    """Raises Refused."""
    asked = request.query_params.get(name)
    try:
        return None if asked is None else date.fromisoformat(asked)
    except ValueError:
        raise Refused(400, "BAD_USER_INPUT", f"{name} is a day, such as 2017-06-01") from None
