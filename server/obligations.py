"""GET /obligations.csv: what merchants owe each other, line by line, as `obligations` finds it; streamed."""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from alliance.clearing.model import ObligationKind
from alliance.statements.rules import micro, price
from alliance.statements.spreadsheet import rows, shown
from domain.errors import InvalidInput, NotFound
from resolvers import obligations
from resolvers.context import Context, House
from resolvers.lines import line_id
from resolvers.obligations import SeenLine
from resolvers.viewer import Verifier
from schema.scalars import BadInput, parse_decimal
from server.callers import Refused, moment, settling

HEAD = (
    *("cycle", "type", "reference", "seq", "kind", "debtor", "creditor", "member", "currency", "points", "price"),
    *("amount", "amountCurrency", "agreementVersion", "occurredAt", "bookedAt", "late", "pastCap", "reverses"),
    *("orderRef", "store", "line"),
)


class Obligations:
    """The endpoint. Its lines are those of the query `obligations` with the same filter, by the same policy (A14)."""

    def __init__(self, house: House, verifier: Verifier) -> None:
        self._house, self._verifier = house, verifier

    async def get(self, request: Request) -> Response:
        """All lines that fit, in the order of cycles and booking. Parameters are the fields of ObligationFilter."""
        try:
            context = settling(self._house, self._verifier, request)
            found = obligations.whole(context, _filter(request.query_params))
        except Refused as refused:
            return refused.response()
        except (InvalidInput, NotFound) as refusal:
            status = 404 if isinstance(refusal, NotFound) else 400
            code = "NOT_FOUND" if status == 404 else "BAD_USER_INPUT"
            return Refused(status, code, _said(refusal, context)).response()
        return StreamingResponse(
            _csv(context, found),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="obligations.csv"'},
        )


def _said(refusal: InvalidInput | NotFound, context: Context) -> str:
    """What is wrong, and with which parameter."""
    message = refusal.message(context.language)
    return f"{refusal.path[-1]}: {message}" if refusal.path else message


def _whole_number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(400, "BAD_USER_INPUT", f"{name} is a whole number")
    return int(text)


def _truth(text: str, name: str) -> bool:
    if text not in ("true", "false"):
        raise Refused(400, "BAD_USER_INPUT", f"{name} is true or false")
    return text == "true"


def _decimal(text: str, name: str) -> str:
    try:
        return parse_decimal(text)
    except BadInput as wrong:
        raise Refused(400, "BAD_USER_INPUT", f"{name}: {wrong}") from None


def _kinds(text: str, name: str) -> list[str]:
    kinds = text.split(",")
    if not set(kinds) <= set(ObligationKind):
        raise Refused(400, "BAD_USER_INPUT", f"{name} are some of {', '.join(ObligationKind)}")
    return kinds


def _text(text: str, _: str) -> str:
    return text


def _moment(text: str, name: str) -> datetime:
    return moment(text, name)


PARAMETERS: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("merchant", "counterparty", "operation", "orderRef", "store"), _text),
    **dict.fromkeys(("bookedFrom", "bookedBefore", "occurredFrom", "occurredBefore"), _moment),
    **dict.fromkeys(("amountFrom", "amountTo"), _decimal),
    **dict.fromkeys(("late", "reverses"), _truth),
    "cycle": _whole_number,
    "kinds": _kinds,
}
"""What may be asked for, and how it is read."""


def _filter(asked: QueryParams) -> dict[str, Any]:
    """As GraphQL would send it. Raises Refused; also for what is no filter, lest a slip fetches everything."""
    unknown = [name for name in asked if name not in PARAMETERS]
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise Refused(400, "BAD_USER_INPUT", f"no filter is called {unknown[0][:40]!r}; there are {known}")
    return {name: PARAMETERS[name](text, name) for name, text in asked.items()}


async def _csv(context: Context, found: AsyncIterator[list[tuple[int, SeenLine]]]) -> AsyncIterator[str]:
    yield rows([HEAD])
    catalogue = context.runtime.catalogue
    codes = {catalogue.alliance.id: catalogue.alliance.code}
    codes |= {id_: merchant.code for id_, merchant in catalogue.merchants_by_id.items()}
    async for lines in found:
        yield rows(_row(context, codes, cycle, line) for cycle, line in lines)


def _row(context: Context, codes: dict[Any, str], cycle: int, line: SeenLine) -> Iterable[object]:
    row = line.row
    capped = context.own_merchant_id in (None, row.debtor_id)
    return (
        cycle,
        "line" if row.reverses is None else "adjustment",
        line.reference,
        row.seq,
        row.kind,
        codes[row.debtor_id],
        codes[row.creditor_id],
        line.member,
        row.currency,
        row.points,
        None if row.price is None else price(row.price),
        micro(row.amount),
        context.runtime.catalogue.alliance.settlement_currency,
        row.agreement_version,
        row.occurred_at.isoformat(),
        row.booked_at.isoformat(),
        str(row.late).lower(),
        str(row.past_cap).lower() if capped else None,
        line.reverses,
        shown(row.order_ref) if line.own else None,
        shown(row.store) if line.own else None,
        line_id(context, row),
    )
