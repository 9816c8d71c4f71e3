"""GET /statements/{cycle}/{merchant}.{kind}: a merchant's statement of a cycle, streamed as it is read."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alliance.statements import files
from alliance.statements.errors import NotInCheckpoint, NotSigned
from domain.errors import NotFound
from resolvers import downloads
from resolvers.context import House, language_of
from resolvers.viewer import Verifier
from server.callers import Refused, settling

MEDIA = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "sig": "text/plain; charset=utf-8",
    "proofs": "application/x-ndjson",
    "zip": "application/zip",
    "pdf": "application/pdf",
}


class CycleStatements:
    """The endpoint. Who may have which statement is decided as for `SettlementCycle.statement`."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """The whole file. `checkpoint`: proofs lead to the checkpoint of so many leaves, else to the newest."""
        code, _, kind = request.path_params["file"].partition(".")
        try:
            context = settling(self._house, self._verifier, request)
            size = _size(request)
            if kind not in files.FILES:
                raise NotFound(what="statement")
            database = context.runtime.database
            head = await downloads.statement(context, request.path_params["cycle"], code)
            await files.ready(database, head, kind, size)
        except Refused as refused:
            return refused.response()
        except NotFound as missing:
            return Refused(404, missing.code, missing.message(_language(request))).response()
        except (NotSigned, NotInCheckpoint) as early:
            return Refused(409, early.code, early.message(_language(request)), {"retry-after": "5"}).response()
        return StreamingResponse(
            files.content(database, head, kind, size, language=_language(request)),
            media_type=MEDIA[kind.rpartition(".")[2]],
            headers={"content-disposition": f'attachment; filename="{head.file}.{kind}"'},
        )


def _language(request: Request) -> str:
    return language_of(request.headers.get("accept-language", ""))


def _size(request: Request) -> int | None:
    """Raises Refused."""
    asked = request.query_params.get("checkpoint")
    if asked is None:
        return None
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
        raise Refused(400, "BAD_USER_INPUT", "checkpoint is a number of operations")
    return int(asked)
