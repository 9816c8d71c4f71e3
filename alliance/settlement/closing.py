"""Closing a cycle under full load: nobody waits for it, and every obligation is in exactly one cycle.

First the next cycle is opened and that is committed (`open_next`): what begins to post from then on falls into it. What
read the old one before still falls there, and there is a moment in which both are open. Once all that was being written
has ended (`drained`), nothing can enter the old one any more and it is closed (`close_cycle`). A posting holds
CYCLE_LOCK shared from before it reads which cycle is open until it has ended, so that it can be seen; nobody takes that
lock exclusively, for who waits for such a lock stops all who come later.
"""

import asyncio
import uuid
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles import timing
from alliance.settlement import queries
from alliance.settlement.model import CYCLE_LOCK, CycleStatus, SettlementCycle
from alliance.settlement.steps import enter, locked, require
from domain.base import new_id

LOOK_SECONDS = 0.01
"""Between two looks at who is still writing."""


async def ensure_open_cycle(session: AsyncSession, as_of: datetime) -> SettlementCycle:
    """The open cycle; the first one is opened here if there has never been one."""
    first = upsert(SettlementCycle).values(id=new_id(), number=1, status=CycleStatus.OPEN, opens_at=as_of)
    found = await queries.open_cycle(session)
    if found is None:
        await session.execute(first.on_conflict_do_nothing())
        found = await queries.open_cycle(session)
    if found is None:
        raise RuntimeError("no cycle is open")
    return found


async def open_next(session: AsyncSession, *, as_of: datetime, cycle_id: uuid.UUID | None = None) -> SettlementCycle:
    """Open the cycle after this one (default: after the open one); the first step of closing. Commit it.

    Returns the cycle that is to be closed: without `cycle_id` that whose closing was begun, if there is one. Doing it
    again changes nothing. Raises NotFound, WrongCycleStatus, InvalidInput for a time that has not come.
    """
    if cycle_id is None:
        # In this order: of two who close at once, the later one finds the same cycle, and not the one opened since.
        opened = await ensure_open_cycle(session, as_of)
        cycle_id = (await closing(session) or opened).id
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, CycleStatus.OPEN)
    if cycle.closes_at is None:
        cycle.closes_at = max(as_of, cycle.opens_at)
        await session.flush()
        session.add(
            SettlementCycle(id=new_id(), number=cycle.number + 1, status=CycleStatus.OPEN, opens_at=cycle.closes_at)
        )
        await session.flush()
    return cycle


async def drained(session: AsyncSession) -> None:
    """Wait until all that is being posted at this moment has been written; what begins later is not waited for."""
    writing = set(await session.scalars(text(_WRITING)))
    while writing:
        await asyncio.sleep(LOOK_SECONDS)
        writing &= set(await session.scalars(text(_WRITING)))


_WRITING = f"""
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND classid = {CYCLE_LOCK[0]} AND objid = {CYCLE_LOCK[1]} AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""  # noqa: S608


async def close_cycle(
    session: AsyncSession, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Close a cycle after which the next one was opened, by a transaction that is over, and all postings drained.

    Raises NotFound, WrongCycleStatus.
    """
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, CycleStatus.OPEN)
    if cycle.closes_at is None:
        raise RuntimeError(f"the cycle after {cycle.number} was not opened")
    await enter(session, cycle, CycleStatus.OPEN, CycleStatus.CLOSED, who, why, as_of)
    await timing.ask(session, as_of)
    return cycle


async def closing(session: AsyncSession) -> SettlementCycle | None:
    """The cycle whose closing was begun and not finished, if there is one."""
    begun = (SettlementCycle.status == CycleStatus.OPEN) & SettlementCycle.closes_at.is_not(None)
    return await session.scalar(select(SettlementCycle).where(begun).order_by(SettlementCycle.number).limit(1))
