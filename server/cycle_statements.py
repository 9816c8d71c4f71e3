"""GET /statements/{cycle}/{merchant}.{format}: a merchant's statement of a cycle, streamed as it is read."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alliance.statements.queries import written
from alliance.statements.render import WRITERS
from domain.errors import NotFound
from resolvers import downloads
from resolvers.context import Context, House, language_of
from resolvers.policy import Denied
from resolvers.viewer import Verifier
from schema.policies import SETTLEMENT
from server.callers import Refused, viewer_of

MEDIA = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class CycleStatements:
    """The endpoint. Who may have which statement is decided as for `SettlementCycle.statement`."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The whole file."""
        code, _, kind = request.path_params["file"].partition(".")
        try:
            context = self._context(request)
            if kind not in WRITERS:
                raise NotFound(what="statement")
            head = await downloads.statement(context, request.path_params["cycle"], code)
        except Refused as refused:
            return refused.response()
        except NotFound as missing:
            return Refused(404, missing.code, missing.message()).response()
        return StreamingResponse(
            written(context.runtime.database, head, WRITERS[kind](head)),
            media_type=MEDIA[kind],
            headers={"content-disposition": f'attachment; filename="{head.file}.{kind}"'},
        )

    def _context(self, request: Request) -> Context:
        viewer = viewer_of(self._verifier, request.headers)
        try:
            SETTLEMENT.require(viewer)
        except Denied as denied:
            raise Refused(403, denied.code, str(denied)) from None
        language = language_of(request.headers.get("accept-language", ""))
        return Context(self._house, viewer, datetime.now(UTC), language)
