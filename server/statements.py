"""GET /wallets/{id}/statement.csv: every movement of a wallet, oldest first, streamed as it is read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alliance.statements.spreadsheet import rows, shown
from domain.errors import InvalidInput, NotFound
from domain.ledger.queries import WalletKey
from domain.ledger.statements import StatementRow
from resolvers import ids, operations, statements, wallets
from resolvers.context import Context, House, language_of
from resolvers.policy import Denied
from resolvers.statements import Span
from resolvers.viewer import Verifier
from schema.policies import POINTS
from server.callers import Refused, clock_of, moment, viewer_of

HEAD = ("bookedAt", "occurredAt", "operation", "kind", "title", "change", "balanceAfter")


class Statements:
    """The endpoint. Its answers are those of `Wallet.statement`, by the same policy."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """Movements from the instant `from` until before `to`, both optional."""
        try:
            context = self._context(request)
            span = self._span(request)
            wallet = await _wallet(context, request.path_params["id"])
        except Refused as refused:
            return refused.response()
        return StreamingResponse(
            _csv(context, wallet, span),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="statement-{wallet.currency}.csv"'},
        )

    def _context(self, request: Request) -> Context:
        viewer = viewer_of(self._verifier, request.headers)
        try:
            POINTS.require(viewer)
        except Denied as denied:
            raise Refused(403, denied.code, str(denied)) from None
        language = language_of(request.headers.get("accept-language", ""))
        said = clock_of(viewer, request.headers)
        if said is None:
            return Context(self._house, viewer, datetime.now(UTC), language)
        return Context(self._house, viewer, moment(said, "Tessera-Clock"), language, past="as_of")

    def _span(self, request: Request) -> Span:
        asked = request.query_params
        first, before = (moment(asked[name], name) if name in asked else None for name in ("from", "to"))
        try:
            statements.require_span((first, before))
        except InvalidInput as refusal:
            raise Refused(400, "BAD_USER_INPUT", refusal.message()) from None
        return first, before


async def _wallet(context: Context, global_id: str) -> WalletKey:
    """The wallet of a global id, if it is in reach. Raises Refused."""
    try:
        kind, rest = ids.decode(global_id)
        found = await wallets.by_global_id(context, rest) if kind == "Wallet" else None
    except NotFound:
        found = None
    if found is None:
        raise Refused(404, "NOT_FOUND", "wallet was not found")
    return found[1]


async def _csv(context: Context, wallet: WalletKey, span: Span) -> AsyncIterator[str]:
    yield rows([HEAD])
    async for stretch in statements.whole(context, wallet, span):
        yield rows(_line(context, row) for row in stretch)


def _line(context: Context, row: StatementRow) -> tuple[object, ...]:
    return (
        row.booked_at.isoformat(),
        row.occurred_at.isoformat(),
        ids.encode("Operation", row.holder_id, row.operation_id),
        row.kind,
        shown(operations.title(context, row)),
        row.change,
        row.balance_after,
    )
