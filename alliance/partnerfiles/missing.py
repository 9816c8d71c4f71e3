"""Files that are due, by the schedule that a merchant's mapping says, and the alarm for one that did not come (A11)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import ONE_DAY, Calendar
from alliance.partnerfiles.model import FileStatus, MissingFile, PartnerFile
from alliance.settlement.model import CycleStatus, SettlementCycle
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.programs.catalogue import Catalogue, Merchant, days_of

LOOK_BACK = timedelta(days=7)
"""What was due longer ago is not told any more: nobody was there to tell it, or the schedule is newer."""


@dataclass(frozen=True, slots=True)
class Due:
    """A file that was to come by `at`: of a `day`, or of the cycle that was cut off on it."""

    merchant_id: UUID
    mapping: str
    day: date
    cycle_id: UUID | None
    at: datetime


def due_at(day: date, schedule: Mapping[str, Any], calendar: Calendar, merchant: Merchant) -> datetime:
    """By when a file of a period that ends on `day` has to be here (UTC), by the merchant's clock."""
    within = days_of(schedule.get("within", 1))
    last = calendar.add_business_days(day, within.count) if within.business else day + timedelta(days=within.count)
    at = time.fromisoformat(schedule.get("at", "12:00"))
    return datetime.combine(last, at, merchant.timezone).astimezone(UTC)


def due_files(catalogue: Catalogue, cycles: Sequence[SettlementCycle], as_of: datetime) -> Iterator[Due]:
    """The files that fell due in the last days before `as_of`, of all merchants."""
    calendar = Calendar.of(catalogue.alliance.calendar)
    for merchant in catalogue.merchants.values():
        for code, definition in merchant.partner_files.items():
            if (schedule := definition.get("schedule")) is None:
                continue
            for day, cycle_id in _periods(schedule["every"], cycles, calendar, merchant, as_of):
                at = due_at(day, schedule, calendar, merchant)
                if as_of - LOOK_BACK < at <= as_of:
                    yield Due(merchant.id, code, day, cycle_id, at)


def _periods(
    every: str, cycles: Sequence[SettlementCycle], calendar: Calendar, merchant: Merchant, as_of: datetime
) -> Iterator[tuple[date, UUID | None]]:
    if every == "cycle":
        for cycle in cycles:
            if cycle.closes_at is not None:
                yield cycle.closes_at.astimezone(merchant.timezone).date(), cycle.id
        return
    day = as_of.astimezone(merchant.timezone).date()
    # So far back that business days over the longest holidays still lie in it.
    for _ in range(60):
        if every == "day" or calendar.is_business_day(day):
            yield day, None
        day -= ONE_DAY


async def tell_missing(session: AsyncSession, catalogue: Catalogue, as_of: datetime) -> list[Due]:
    """Tell the merchant and the operator of each file that was due and is not here, once; those that were told."""
    recent = SettlementCycle.closes_at > as_of - timedelta(days=60)
    closed = SettlementCycle.status.not_in((CycleStatus.OPEN, CycleStatus.ABORTED))
    cycles = (await session.scalars(select(SettlementCycle).where(recent, closed))).all()
    due = list(due_files(catalogue, cycles, as_of))
    if not due:
        return []
    here = await _here(session, {one.merchant_id for one in due})
    rows = [
        {"merchant_id": one.merchant_id, "mapping": one.mapping, "day": one.day}
        | {"cycle_id": one.cycle_id, "due_at": one.at}
        for one in due
        if (one.merchant_id, one.mapping, one.cycle_id or one.day) not in here
    ]
    if not rows:
        return []
    new = insert(MissingFile).values(rows).on_conflict_do_nothing()
    found = await session.execute(new.returning(MissingFile.merchant_id, MissingFile.mapping, MissingFile.day))
    keys = {tuple(row) for row in found}
    told = [one for one in due if (one.merchant_id, one.mapping, one.day) in keys]
    await add_events(session, [_event(catalogue.alliance.id, one, as_of) for one in told])
    return told


async def _here(session: AsyncSession, merchants: set[UUID]) -> set[tuple[UUID, str, UUID | date]]:
    """For which periods there are files, by merchant and mapping. What was refused, or only tried, did not come."""
    query = (
        select(PartnerFile.merchant_id, PartnerFile.mapping, PartnerFile.cycle_id, PartnerFile.day)
        .where(PartnerFile.merchant_id.in_(merchants), PartnerFile.dry_run.is_(False))
        .where(PartnerFile.status.not_in((FileStatus.RECEIVED, FileStatus.REFUSED)))
    )
    rows = await session.execute(query)
    return {(merchant, mapping, day or cycle) for merchant, mapping, cycle, day in rows if mapping and cycle}


def _event(alliance_id: UUID, due: Due, as_of: datetime) -> NewEvent:
    data = {"merchant": str(due.merchant_id), "mapping": due.mapping, "day": due.day.isoformat()}
    data |= {"dueAt": due.at.isoformat(), "asOf": as_of.isoformat()}
    return NewEvent(alliance_id, EventKind.PARTNER_FILE_MISSING, data, (due.merchant_id,))
