"""Reports for those who settle: a merchant its own side, the operator and auditors all of it (A14)."""

from collections.abc import Sequence
from datetime import date
from typing import TypeVar
from uuid import UUID

from alliance.reporting import queries
from alliance.reporting.queries import AtClose, Open, PairKind, Returned, Settled, Span
from alliance.settlement.rules import minor_unit
from domain.errors import InvalidInput, NotFound
from resolvers.context import Context

Row = TypeVar("Row")

MOST_CYCLES = 100
MOST_ROWS = 1000
MOST_DAYS = 400


def _party(context: Context, code: str | None) -> UUID | None:
    """Whose side is asked for; None: all. Raises NotFound, also for another merchant."""
    own = context.own_merchant_id
    if code is None:
        return own
    merchant = context.runtime.catalogue.merchants.get(code)
    if merchant is None or own not in (None, merchant.id):
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    return merchant.id


def _span(first: date, last: date) -> Span:
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InvalidInput(reason=f"ask for 1 to {MOST_DAYS} days", path=("to",))
    return Span(first, last)


def _few(rows: Sequence[Row]) -> Sequence[Row]:
    """Raises InvalidInput where there are more than an answer holds."""
    if len(rows) > MOST_ROWS:
        raise InvalidInput(reason=f"that would be more than {MOST_ROWS} rows: name a merchant", path=("merchant",))
    return rows


def _cycles(asked: int) -> int:
    if not 1 <= asked <= MOST_CYCLES:
        raise InvalidInput(reason=f"ask for 1 to {MOST_CYCLES} cycles", path=("cycles",))
    return asked


async def cut_offs(context: Context, merchant: str | None, cycles: int) -> Sequence[AtClose]:
    """Positions as the last cycles were cut off. Raises a Refusal."""
    party, count, alliance = _party(context, merchant), _cycles(cycles), context.runtime.catalogue.alliance
    async with context.runtime.database.reader() as session:
        found = await queries.closed(session, alliance, None, count)
        return _few(await queries.at_close(session, found, minor_unit(alliance.settlement_currency), party))


async def history(context: Context, merchant: str | None, cycles: int) -> Sequence[Settled]:
    """What netting made of the last cycles. Raises a Refusal."""
    party, count = _party(context, merchant), _cycles(cycles)
    async with context.runtime.database.reader() as session:
        alliance = context.runtime.catalogue.alliance
        found = await queries.closed(session, alliance, None, count)
        return await queries.history(session, alliance, found, party)


async def ageing(context: Context, merchant: str | None) -> Sequence[Open]:
    """What is open, by age. Raises a Refusal."""
    party = _party(context, merchant)
    async with context.runtime.database.reader() as session:
        return _few(await queries.ageing(session, context.runtime.catalogue.alliance, context.as_of, party))


async def back_at_zero(context: Context, merchant: str | None, first: date, last: date) -> Sequence[Returned]:
    """Lines that were back at zero in time. Raises a Refusal."""
    party, span = _party(context, merchant), _span(first, last)
    async with context.runtime.database.reader() as session:
        return _few(await queries.back_at_zero(session, context.runtime.catalogue.alliance, span, party))


async def by_kind(
    context: Context, merchant: str | None, first: date, last: date, *, occurred: bool
) -> Sequence[PairKind]:
    """What came to be owed in a span of days. Raises a Refusal."""
    party, span = _party(context, merchant), _span(first, last)
    async with context.runtime.database.reader() as session:
        alliance = context.runtime.catalogue.alliance
        return _few(await queries.by_kind(session, alliance, span, party, occurred=occurred))
