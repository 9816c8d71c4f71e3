"""What every step of a cycle does: lock it, see that it may take the step, record who took it and why."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.errors import WrongCycleStatus
from alliance.settlement.model import CycleStatus, CycleTransition, SettlementCycle
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_event
from domain.events.kinds import EventKind

MAX_AHEAD = timedelta(minutes=5)
"""How far the clock of a caller may be ahead of the database's."""

LONGEST_REASON = 500

CHANNEL = "tessera_cycle"
"""On which the id of a cycle is notified when something about it changed."""


async def locked(session: AsyncSession, cycle_id: uuid.UUID, as_of: datetime) -> SettlementCycle:
    """The cycle, locked against another step; who waits for news of it is told when the step is committed.

    Raises NotFound; InvalidInput for a step in the future.
    """
    query = select(SettlementCycle).where(SettlementCycle.id == cycle_id).with_for_update()
    cycle = await session.scalar(query, execution_options={"populate_existing": True})
    if cycle is None:
        raise NotFound(what="cycle", path=("cycle",))
    if await session.scalar(select(literal(as_of) > func.clock_timestamp() + MAX_AHEAD)):
        raise InvalidInput(reason="no step of a cycle is taken in the future", path=("asOf",))
    await session.execute(select(func.pg_notify(CHANNEL, str(cycle_id))))
    return cycle


def require(cycle: SettlementCycle, *needed: CycleStatus) -> None:
    """Raises WrongCycleStatus unless the cycle has one of these."""
    if cycle.status not in needed:
        raise WrongCycleStatus(number=cycle.number, status=cycle.status, needed=" or ".join(needed), path=("cycle",))


def require_short(why: str) -> None:
    """Raises InvalidInput for a reason that is too long to be kept."""
    if len(why) > LONGEST_REASON:
        raise InvalidInput(reason=f"a reason has at most {LONGEST_REASON} characters", path=("reason",))


async def enter(
    session: AsyncSession,
    cycle: SettlementCycle,
    start: CycleStatus,
    end: CycleStatus,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
) -> None:
    """Move a cycle on and record it. Raises WrongCycleStatus unless it is in `start`; InvalidInput for long reasons."""
    require(cycle, start)
    require_short(why)
    cycle.status = end.value
    taken = select(func.count()).where(CycleTransition.cycle_id == cycle.id)
    seq = int(await session.scalar(taken) or 0) + 1
    session.add(CycleTransition(cycle_id=cycle.id, seq=seq, status=end.value, who=who, why=why, as_of=as_of))
    await session.flush()
    told = {"cycle": str(cycle.id), "number": cycle.number, "status": end.value, "asOf": as_of.isoformat()}
    await add_event(session, cycle.id, EventKind.CYCLE_STEP, told)
