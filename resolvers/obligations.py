"""Lines of what merchants owe each other, as their viewer may see them (A14)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alliance.clearing.model import Obligation
from alliance.statements.search import Place, Sought, count, search
from domain.errors import InvalidInput, NotFound
from domain.money import MICRO, scaled
from resolvers import ids
from resolvers.context import Context
from resolvers.lines import in_cursor, line_id
from resolvers.pages import Cursor, Page, Shape, Window, page, small_number
from resolvers.reach import members_of
from resolvers.sent import Sent, plain

_PLACES = len(str(MICRO)) - 1

STRETCH = 1000
"""Lines that are read at a time for a file."""


@dataclass(frozen=True, slots=True)
class SeenLine:
    """An obligation with the names that its two parties share. `own`: it happened at the viewer, or they see all."""

    row: Obligation
    reference: str
    member: str
    reverses: str | None
    own: bool


async def seen(context: Context, rows: Sequence[Obligation]) -> list[SeenLine]:
    """Lines, each with its names."""
    names = await context.house.pseudonyms()

    def one(row: Obligation) -> SeenLine:
        pair: tuple[UUID, UUID] = row.debtor_id, row.creditor_id
        return SeenLine(
            row,
            names.operation(*pair, row.operation_id),
            names.member(*pair, row.holder_id),
            None if row.reverses is None else names.operation(*pair, row.reverses),
            context.own_merchant_id in (None, row.merchant_id),
        )

    return [one(row) for row in rows]


async def listed(context: Context, sent: Sent, asked: Window) -> Page[SeenLine]:
    """A page of the lines that fit, in the order of cycles and booking. Raises InvalidInput, NotFound."""
    sought = _sought(context, plain(sent, ("filter",)))
    async with context.runtime.database.reader() as session:
        found = await search(
            session,
            sought,
            asked.size + 1,
            after=_place(asked.after),
            before=_place(asked.before),
            backward=asked.backward,
        )
    cycles = {(row.operation_id, row.seq): number for number, row in found}

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await count(session, sought)

    def cursor(line: SeenLine) -> tuple[str, str]:
        return str(cycles[line.row.operation_id, line.row.seq]), line_id(context, line.row)

    return page(asked, await seen(context, [row for _, row in found]), cursor, total)


def _sought(context: Context, sent: Sent) -> Sought:
    """What is asked for, within what the viewer may see: of orders and stores a merchant knows its own alone."""
    own = members_of(context.signed_in)
    named = [_party(context, sent[name], name) for name in ("merchant", "counterparty") if sent.get(name) is not None]
    private = sent.get("orderRef") is not None or sent.get("store") is not None
    operation = sent.get("operation")
    kinds = sent.get("kinds")
    return Sought(
        parties=[party for party in (own, *named) if party is not None],
        cycle=_small(sent.get("cycle")),
        operation=None if operation is None else _operation(operation),
        order_ref=sent.get("orderRef"),
        store=sent.get("store"),
        here=own if private else None,
        kinds=None if kinds is None else [str(kind) for kind in kinds],
        amount=(_amount(sent, "amountFrom"), _amount(sent, "amountTo")),
        booked=_span(sent, "booked"),
        occurred=_span(sent, "occurred"),
        late=sent.get("late"),
        reverses=sent.get("reverses"),
    )


def _party(context: Context, code: str, name: str) -> UUID:
    """A merchant's id; under the alliance's code, the operator's. Raises NotFound."""
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants.get(code)
    if merchant is not None:
        return merchant.id
    if code == catalogue.alliance.code:
        return catalogue.alliance.id
    raise NotFound(what=f"merchant {code[:40]!r}", path=("filter", name))


def _operation(global_id: str) -> tuple[UUID, UUID]:
    try:
        holder_id, operation_id = ids.decode_as("Operation", global_id, 2)
    except NotFound:
        raise NotFound(what="operation", path=("filter", "operation")) from None
    return holder_id, operation_id


def _small(number: int | None) -> int | None:
    if number is not None and number < 0:
        raise InvalidInput(reason="cycles are numbered from 1", path=("filter", "cycle"))
    return number


def _amount(sent: Sent, name: str) -> int | None:
    """A sum in millionths. Raises InvalidInput."""
    said = sent.get(name)
    try:
        return None if said is None else scaled(said, _PLACES)
    except InvalidInput as refusal:
        raise refusal.at("filter", name) from None


def _span(sent: Sent, name: str) -> tuple[datetime | None, datetime | None]:
    """From an instant until before another. Raises InvalidInput for a span that ends before it begins."""
    first: Any = sent.get(f"{name}From")
    before: Any = sent.get(f"{name}Before")
    if first is not None and before is not None and before < first:
        raise InvalidInput(reason="it ends before it begins", path=("filter", f"{name}Before"))
    return first, before


def shape(context: Context) -> Shape:
    """How the cursors of lines of all cycles are read."""
    return (small_number, in_cursor(context))


def _place(cursor: Cursor | None) -> Place | None:
    return None if cursor is None else (cursor[0], *cursor[1][1:])


def whole(context: Context, sent: Sent) -> AsyncIterator[list[tuple[int, SeenLine]]]:
    """All lines that fit, with their cycles' numbers, a stretch at a time. Raises InvalidInput, NotFound at once."""
    sought = _sought(context, plain(sent, ("filter",)))
    return _stretches(context, sought)


async def _stretches(context: Context, sought: Sought) -> AsyncIterator[list[tuple[int, SeenLine]]]:
    """Never more than one in memory."""
    last: Place | None = None
    while True:
        async with context.runtime.database.reader() as session:
            found = await search(session, sought, STRETCH, after=last)
        if found:
            lines = await seen(context, [row for _, row in found])
            yield [(number, line) for (number, _), line in zip(found, lines, strict=True)]
        if len(found) < STRETCH:
            return
        number, row = found[-1]
        last = number, row.operation_id, row.seq
