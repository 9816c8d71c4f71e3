"""The days of the calendar, with what falls on them; and how deadlines were extended."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import ONE_DAY, Calendar, instant
from alliance.deadlines.model import DeadlineExtension
from alliance.settlement.model import CycleStatus, SettlementCycle
from domain.errors import InvalidInput
from domain.programs.catalogue import Alliance

MOST_DAYS = 400


class MarkKind(StrEnum):
    """What falls on a day: a cycle is cut off; objections are heard, or payments are due, until then."""

    CUT_OFF = "CUT_OFF"
    OBJECTIONS = "OBJECTIONS"
    PAYMENTS = "PAYMENTS"


class Declared(StrEnum):
    """What the alliance itself says of a day, whatever public holidays say."""

    HOLIDAY = "HOLIDAY"
    WORKING_DAY = "WORKING_DAY"


@dataclass(frozen=True, slots=True)
class Mark:
    """At a moment, exclusive; of a cycle, or of none: one that is yet to be opened."""

    kind: MarkKind
    at: datetime
    cycle: SettlementCycle | None


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the alliance's zone. `name` is the public holiday's."""

    date: date
    business: bool
    name: str | None
    declared: Declared | None
    marks: Sequence[Mark]


async def days(
    session: AsyncSession, alliance: Alliance, first: date, last: date, as_of: datetime, language: str = "en"
) -> list[Day]:
    """The days from `first` to `last`: cut-offs that were and that are to come, and deadlines of cycles.

    A deadline at midnight belongs to the day that it ends. Raises InvalidInput for a span that is empty or too long.
    """
    if not 0 <= (last - first).days < MOST_DAYS:
        raise InvalidInput(reason=f"ask for 1 to {MOST_DAYS} days", path=("to",))
    calendar, terms = Calendar.of(alliance.calendar), alliance.calendar
    marks: defaultdict[date, list[Mark]] = defaultdict(list)
    for mark in await _marks(session, alliance, first, last, as_of):
        marks[(mark.at - timedelta(microseconds=1)).astimezone(alliance.timezone).date()].append(mark)
    return [
        Day(
            date=day,
            business=calendar.is_business_day(day),
            name=calendar.name_of(day, language),
            declared=Declared.HOLIDAY
            if day in terms.holidays
            else Declared.WORKING_DAY
            if day in terms.working_days
            else None,
            marks=sorted(marks[day], key=lambda mark: mark.at),
        )
        for day in (first + n * ONE_DAY for n in range((last - first).days + 1))
    ]


async def _marks(session: AsyncSession, alliance: Alliance, first: date, last: date, as_of: datetime) -> list[Mark]:
    after, until = (instant(day, time(), alliance.timezone) for day in (first, last + ONE_DAY))
    columns = {
        MarkKind.CUT_OFF: SettlementCycle.closes_at,
        MarkKind.OBJECTIONS: SettlementCycle.objections_until,
        MarkKind.PAYMENTS: SettlementCycle.payments_due,
    }
    falls = or_(*((column > after) & (column <= until) for column in columns.values()))
    open_ = (SettlementCycle.status == CycleStatus.OPEN) & SettlementCycle.closes_at.is_(None)
    cycles = (
        await session.scalars(select(SettlementCycle).where(falls | open_).order_by(SettlementCycle.number))
    ).all()
    found = [
        Mark(kind, at, cycle)
        for cycle in cycles
        for kind, column in columns.items()
        if (at := getattr(cycle, column.key)) is not None and after < at <= until
    ]
    current = next((one for one in cycles if one.closes_at is None), None)
    start = as_of if current is None else current.opens_at
    return found + [Mark(MarkKind.CUT_OFF, at, cycle) for at, cycle in _to_come(alliance, start, current, after, until)]


def _to_come(
    alliance: Alliance, start: datetime, current: SettlementCycle | None, after: datetime, until: datetime
) -> Iterator[tuple[datetime, SettlementCycle | None]]:
    """When the open cycle is due to be cut off, and those after it."""
    calendar = Calendar.of(alliance.calendar)
    while (at := calendar.cut_off(start, alliance.cycle, alliance.timezone)) <= until:
        if at > after:
            yield at, current
        start, current = at, None


async def extensions(
    session: AsyncSession, cycle_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[DeadlineExtension]]:
    """How deadlines of these cycles were extended, in order."""
    query = select(DeadlineExtension).where(DeadlineExtension.cycle_id.in_(cycle_ids)).order_by(DeadlineExtension.seq)
    found: dict[uuid.UUID, list[DeadlineExtension]] = {cycle_id: [] for cycle_id in cycle_ids}
    for row in await session.scalars(query):
        found[row.cycle_id].append(row)
    return found
