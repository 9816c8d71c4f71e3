"""What falls due by the alliance's calendar: for unattended work. Running it again changes nothing."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.calendar import Calendar
from alliance.settlement import commands, queries
from alliance.settlement.model import CycleStatus, SettlementCycle
from domain.programs.catalogue import Alliance


async def close_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> SettlementCycle | None:
    """Close the open cycle if its cut-off has passed; the closed one, or None where nothing is due."""
    cycle = await queries.open_cycle(session)
    calendar = Calendar.of(alliance.calendar)
    if cycle is None or as_of < calendar.cut_off(cycle.opens_at, alliance.cycle, alliance.timezone):
        return None
    return await commands.close_cycle(
        session, who=alliance.id, why="cut-off of the calendar", as_of=as_of, cycle_id=cycle.id
    )


async def advance_due(session: AsyncSession, alliance: Alliance, as_of: datetime) -> SettlementCycle | None:
    """Take the oldest cycle that is closed and not netted one step on, if that needs nobody's decision.

    It is stated, confirmed when the objection days are over in silence, netted. Payments are recorded by those who saw
    them made. Returns the cycle that moved, or None: call again until it is None.
    """
    waiting = (CycleStatus.CLOSED, CycleStatus.STATED, CycleStatus.CONFIRMED)
    query = select(SettlementCycle).where(SettlementCycle.status.in_(waiting)).order_by(SettlementCycle.number).limit(1)
    cycle = await session.scalar(query)
    if cycle is None:
        return None
    by = alliance.id
    if cycle.status == CycleStatus.CLOSED:
        return await commands.issue_statements(session, alliance, cycle.id, who=by, why="closed", as_of=as_of)
    if cycle.status == CycleStatus.CONFIRMED:
        return await commands.net_cycle(session, alliance, cycle.id, who=by, why="confirmed", as_of=as_of)
    stated = (await queries.transitions(session, [cycle.id]))[cycle.id][-1]
    if as_of < Calendar.of(alliance.calendar).deadline(stated.as_of, alliance.cycle.objection, alliance.timezone):
        return None
    return await commands.confirm_statement(session, cycle.id, who=by, why="no objection in time", as_of=as_of)
