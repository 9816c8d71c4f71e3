"""Breaks, as reconciling a partner's file leaves them."""

import uuid
from datetime import date, datetime
from typing import Any

from alliance.clearing.model import Obligation
from alliance.partnerfiles.model import Outcome, ReconBreak
from alliance.settlement.queries import open_cycle
from tests.alliance.support import NOON, House

ONE, TWO = uuid.UUID(int=71), uuid.UUID(int=72)


async def broken(
    house: House,
    *,
    ours: int | None = None,
    theirs: int | None = None,
    outcome: Outcome = Outcome.AMOUNT_DIFFERS,
    of: str = "fuel",
    other: str | None = "grocer",
    line: Obligation | None = None,
    opened_at: datetime = NOON,
    **more: Any,
) -> uuid.UUID:
    """A break of a file of fuel's, millionths; with a line of ours."""
    async with house.runtime.database.transaction() as session:
        cycle = await open_cycle(session)
        row = ReconBreak(
            merchant_id=house.id(of),
            other_id=None if other is None else house.id(other),
            cycle_id=uuid.UUID(int=1) if cycle is None else cycle.id,
            outcome=outcome.value,
            ours=ours,
            theirs=theirs,
            holder_id=None if line is None else line.holder_id,
            operation_id=None if line is None else line.operation_id,
            seq=None if line is None else line.seq,
            key="K-1",
            occurred_on=date(2017, 6, 1),
            opened_at=opened_at,
            **more,
        )
        session.add(row)
        await session.flush()
        return row.id


async def spent(house: House) -> Obligation:
    """A line of ours: grocer owes fuel 5.40 for 600 points."""
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    posted = await house.spend(member, "fuel", 600)
    return next(row for row in await house.obligations() if row.operation_id == posted.operation_id)
