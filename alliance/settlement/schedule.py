"""What falls due by the alliance's calendar: for unattended work. Running it again changes nothing."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.settlement import closing, commands, queries
from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.settlement.paying import settle_cycle
from domain.programs.catalogue import Alliance


async def open_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> SettlementCycle | None:
    """Begin to close the open cycle if its cut-off has passed, by opening the next. Returns the one to close, or None.

    Cut-offs that were missed make one long cycle: what is owed belongs to the cycle that was open when it was booked.
    """
    cycle = await queries.open_cycle(session)
    calendar = Calendar.of(alliance.calendar)
    if cycle is None or as_of < calendar.cut_off(cycle.opens_at, alliance.cycle, alliance.timezone):
        return await closing.closing(session)
    return await closing.open_next(session, as_of=as_of, cycle_id=cycle.id)


async def close_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> SettlementCycle | None:
    """Close the cycle after which the next was opened, all postings drained; None where there is none."""
    begun = await closing.closing(session)
    if begun is None:
        return None
    return await closing.close_cycle(session, begun.id, who=alliance.id, why="cut-off of the calendar", as_of=as_of)


async def advance_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> SettlementCycle | None:
    """Take the oldest cycle that is closed and not netted one step on, if that needs nobody's decision.

    It is stated, confirmed when the objection days are over in silence, netted, and its payments are told. That they
    were made is recorded by those who saw it. Returns the cycle that moved, or None: call again until it is None.
    """
    waiting = (CycleStatus.CLOSED, CycleStatus.STATED, CycleStatus.CONFIRMED, CycleStatus.NETTED)
    query = select(SettlementCycle).where(SettlementCycle.status.in_(waiting)).order_by(SettlementCycle.number).limit(1)
    cycle = await session.scalar(query)
    if cycle is None:
        return None
    by = alliance.id
    if cycle.status == CycleStatus.CLOSED:
        return await commands.issue_statements(session, alliance, cycle.id, who=by, why="closed", as_of=as_of)
    if cycle.status == CycleStatus.CONFIRMED:
        return await commands.net_cycle(session, alliance, cycle.id, who=by, why="confirmed", as_of=as_of)
    if cycle.status == CycleStatus.NETTED:
        return await settle_cycle(session, cycle.id, who=by, why="netted", as_of=as_of)
    if cycle.objections_until is None or as_of < cycle.objections_until:
        return None
    return await commands.confirm_statement(session, cycle.id, who=by, why="no objection in time", as_of=as_of)
