"""POST /ingest/bank-statement: a bank's statement (camt.053, or CSV), taken in as a whole."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alliance.approvals.commands import About
from alliance.banking.errors import StatementRefused
from alliance.banking.importing import import_statement
from alliance.banking.xml import MOST_BYTES
from resolvers import ids
from resolvers.context import House, language_of
from resolvers.viewer import Scope, Verifier
from server.callers import Refused, clock_of, moment, require_scope, viewer_of

WHY = "the bank's statement"


class BankStatements:
    """The endpoint. A merchant's file is of its own account, the operator's of its own or that which all pay into."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def post(self, request: Request) -> Response:
        """What became of it: counts, by what was sure, what is proposed, and what is left open."""
        try:
            viewer = viewer_of(self._verifier, request.headers)
            require_scope(viewer, Scope.RECEIPTS_WRITE)
            said = clock_of(viewer, request.headers)
            as_of = datetime.now(UTC) if said is None else moment(said, "Tessera-Clock")
            content = await _body(request)
        except Refused as refused:
            return refused.response()
        runtime = self._house.runtime
        owner = viewer.merchant_id or runtime.catalogue.alliance.id
        try:
            async with runtime.database.transaction() as session:
                found = await import_statement(session, content, owner, About(viewer.subject, WHY, as_of))
        except StatementRefused as refusal:
            language = language_of(request.headers.get("accept-language", ""))
            return Refused(422, refusal.code, refusal.message(language)).response()
        counts = {name: getattr(found, name) for name in ("again", "entries", "known", "applied", "proposed", "open")}
        return JSONResponse({"id": ids.encode("StatementImport", found.id), **counts})


async def _body(request: Request) -> bytes:
    """Raises Refused for a file that is too long."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise Refused(413, "BAD_USER_INPUT", f"a bank statement has at most {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
