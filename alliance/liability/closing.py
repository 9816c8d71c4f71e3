"""Closing months: what is deferred at the end of each, by cohort. A closed month is never made again.

What is written later, whenever it happened, falls into the month that is closed next; so does every new estimate.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.liability import months
from alliance.liability.model import LIABILITY_LOCK, LiabilityCohort, LiabilityEstimate, LiabilityMonth
from alliance.liability.movements import Alone, Movement, Seen, Span, movements, seen_now
from alliance.liability.programme import Cohort, Programme, between, by_month
from alliance.liability.rules import SUMS, Closing, Reached, Sums
from domain.programs.catalogue import Catalogue, Merchant

DEFERRED_KINDS = ("points", "stamps")

OLDEST = 120
"""Months: how long ago points may have been issued that are booked only now."""

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


def quiet(step: str, done: int, total: int) -> None:
    """A `Progress` that nobody sees."""


@dataclass(frozen=True, slots=True)
class Target:
    """A merchant's months that are to be closed: those after `closed` up to `last`, of which what is before `ends_at`
    counts."""

    merchant: Merchant
    programmes: tuple[Programme, ...]
    last: date
    ends_at: datetime
    closed: LiabilityMonth | None


async def close_months(
    session: AsyncSession,
    catalogue: Catalogue,
    as_of: datetime,
    *,
    merchants: Iterable[str] | None = None,
    month: date | None = None,
    unfinished: bool = False,
    progress: Progress = quiet,
) -> list[tuple[str, date]]:
    """Close every month that is over at `as_of` and is not closed, of all merchants or of these codes; up to `month`.

    With `unfinished` also the month that it is, as far as it has come: to be looked at, and rolled back. The merchants
    and months that were closed: none where nothing is left, or somebody else is at it. In the caller's transaction.
    """
    lock = dict(zip(("one", "two"), LIABILITY_LOCK, strict=True))
    if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:one, :two)"), lock):
        return []
    targets = await _targets(session, catalogue, as_of, merchants, month, unfinished)
    if not targets:
        return []
    await _load(session, [programme for target in targets for programme in target.programmes])
    # Sorts and hashes go to disk past this: memory does not grow with the books.
    await session.execute(text("SET LOCAL work_mem = '64MB'"))
    await session.execute(text("SET LOCAL max_parallel_workers_per_gather = 2"))
    await session.execute(text("SET LOCAL enable_nestloop = off"))
    await session.execute(text("SET LOCAL enable_mergejoin = off"))
    await session.execute(text("SET LOCAL jit = off"))
    seen, steps = await seen_now(session), len(targets) + 2
    progress("reading what moved", 0, steps)
    moved, at_grant = await _moved(session, catalogue, targets, seen, lambda: progress("valuing it", 1, steps))
    closed: list[tuple[str, date]] = []
    for place, target in enumerate(targets):
        progress(f"closing {target.merchant.code}", place + 2, steps)
        closed += [(target.merchant.code, one) for one in await _close(session, target, moved, at_grant, seen)]
    progress("done", steps, steps)
    return closed


async def _targets(
    session: AsyncSession,
    catalogue: Catalogue,
    as_of: datetime,
    merchants: Iterable[str] | None,
    month: date | None,
    unfinished: bool,
) -> list[Target]:
    in_order = select(LiabilityMonth).order_by(LiabilityMonth.month)
    closed = {row.merchant_id: row for row in await session.scalars(in_order)}
    money, found = catalogue.alliance.settlement_currency, []
    for code in sorted(catalogue.merchants if merchants is None else merchants):
        merchant = catalogue.merchants[code]
        kinds = [catalogue.currencies[currency] for currency in merchant.currencies]
        programmes = tuple(
            Programme(merchant.id, kind, merchant.timezone, money) for kind in kinds if kind.kind in DEFERRED_KINDS
        )
        now = months.current(as_of, merchant.timezone)
        over = now if unfinished else months.after(now, -1)
        last = over if month is None else min(over, month)
        before = closed.get(merchant.id)
        if programmes and (before is None or before.month < last):
            ends_at = min(as_of, months.end_of(last, merchant.timezone))
            found.append(Target(merchant, programmes, last, ends_at, before))
    return found


async def _load(session: AsyncSession, programmes: Sequence[Programme]) -> None:
    """What the last closed months left, and what each cohort had come to at every month's end."""
    known = {programme.currency.code: programme for programme in programmes}
    kept = select(LiabilityCohort).where(LiabilityCohort.currency.in_(known))
    ages: dict[tuple[str, int], dict[int, Reached]] = defaultdict(dict)
    ends: dict[str, int] = {}
    for row in await session.scalars(kept.order_by(LiabilityCohort.month)):
        sums = Sums(*(getattr(row, name) for name in SUMS))
        closed = Closing(row.expected, row.deferred, row.current)
        known[row.currency].cohorts[row.issued] = Cohort(sums, closed, row.at_grant)
        month = ends[row.currency] = months.number(row.month)
        ages[row.currency, months.number(row.issued)][month] = sums.points
    for (code, start), by_age in ages.items():
        reached = Reached(0, 0, 0)
        known[code].triangle[start] = listed = []
        for month in range(start, ends[code] + 1):
            reached = by_age.get(month, reached)
            listed.append(reached)


async def _moved(
    session: AsyncSession, catalogue: Catalogue, targets: Sequence[Target], seen: Seen, valuing: Callable[[], None]
) -> tuple[dict[str, list[Movement]], dict[tuple[str, date], int]]:
    """What moved, by currency, and the share of each cohort's points that was expected to be used."""
    money = catalogue.alliance.settlement_currency
    spans = [_span(target, programme) for target in targets for programme in target.programmes]
    places = {programme.currency.code: (target, programme) for target in targets for programme in target.programmes}
    if any(target.closed is None or months.after(target.closed.month) < target.last for target in targets):
        # How often points are used has to be known month by month before they can be valued.
        for code, counted in _by_currency(await movements(session, spans, seen, money)).items():
            target, programme = places[code]
            programme.extend(by_month(counted, target.last), target.last)
    valuing()
    alone, at_grant = [], {}
    for code, (target, programme) in places.items():
        oldest = months.after(target.last, -OLDEST)
        for issued in between(min([oldest, *programme.issues()]), target.last):
            price, at_grant[code, issued] = programme.alone(issued)
            alone.append(Alone(code, issued, price))
    found = _by_currency(await movements(session, spans, seen, money, alone))
    return found, at_grant


def _by_currency(moved: Iterable[Movement]) -> dict[str, list[Movement]]:
    found: dict[str, list[Movement]] = defaultdict(list)
    for movement in moved:
        found[movement.currency].append(movement)
    return found


def _span(target: Target, programme: Programme) -> Span:
    closed = target.closed
    first = None if closed is None else months.after(closed.month)
    seen = Seen(0, 0, []) if closed is None else Seen(closed.seen_before, closed.unseen_from, closed.unseen)
    begins_at = None if closed is None else closed.ends_at
    return Span(programme.currency.code, target.merchant.timezone, begins_at, target.ends_at, seen, first)


async def _close(
    session: AsyncSession,
    target: Target,
    moved: dict[str, list[Movement]],
    at_grant: dict[tuple[str, date], int],
    seen: Seen,
) -> list[date]:
    """A merchant's months, each with its estimates and cohorts; which they are."""
    summed = [by_month(moved[programme.currency.code], target.last) for programme in target.programmes]
    begun = (month for sums in summed for _, month in sums)
    first = min(begun, default=target.last) if target.closed is None else months.after(target.closed.month)
    estimates: list[dict[str, Any]] = []
    cohorts: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    for programme, sums in zip(target.programmes, summed, strict=True):
        programme.extend(sums, target.last)
    for month in between(first, target.last):
        for programme, sums in zip(target.programmes, summed, strict=True):
            code = programme.currency.code
            shares = {issued: share for (currency, issued), share in at_grant.items() if currency == code}
            estimate, rows = programme.close(month, sums, shares)
            estimates.append(estimate)
            cohorts += rows
        ends_at = min(target.ends_at, months.end_of(month, target.merchant.timezone))
        ends.append({"merchant_id": target.merchant.id, "month": month, "ends_at": ends_at, **seen._asdict()})
    for table, rows in ((LiabilityMonth, ends), (LiabilityEstimate, estimates), (LiabilityCohort, cohorts)):
        if rows:
            await session.execute(insert(table), rows)
    return [row["month"] for row in ends]
