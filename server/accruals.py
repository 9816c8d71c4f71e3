"""GET /accruals/{run}/refusals: the rows that a run refused, as a file that can be corrected and fed again."""

from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from resolvers import accruals
from resolvers.context import Context, House, language_of
from resolvers.policy import Denied
from resolvers.viewer import Verifier
from schema.policies import RUNS
from server.callers import Refused, viewer_of
from server.refusals import MEDIA, format_of, name_of, refusals_file


class Refusals:
    """The endpoint. A merchant's client gets those of its own runs, the operator's all, by the policy of the runs."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The file, streamed."""
        try:
            viewer = viewer_of(self._verifier, request.headers)
            RUNS.require(viewer)
            language = language_of(request.headers.get("accept-language", ""))
            context = Context(self._house, viewer, datetime.now(UTC), language)
            run = await _run(context, request.path_params["run"])
        except Denied as denied:
            return Refused(403, denied.code, str(denied)).response()
        except Refused as refused:
            return refused.response()
        return StreamingResponse(
            refusals_file(context.runtime.database, run.row, language),
            media_type=MEDIA[format_of(run.row)],
            headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(name_of(run.row), safe='')}"},
        )


async def _run(context: Context, said: str) -> accruals.Run:
    try:
        found = await accruals.in_reach(context, UUID(said))
    except ValueError:
        found = None
    if found is None:
        raise Refused(404, "NOT_FOUND", "run was not found")
    return found
