"""Netting a cycle again without the merchant that does not pay (A12): only where that is agreed, before any payment.

All its pairs leave the cycle and are carried, so that it owes each survivor its whole bilateral net.
"""

import uuid

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.defaults.rules import Held, Parts, Waterfall, waterfall
from alliance.settlement import netting, queries
from alliance.settlement.commands import plan
from alliance.settlement.errors import LaterCycleStated
from alliance.settlement.model import NetPosition, Payment, PaymentStatus, SettlementCycle
from alliance.settlement.rules import minor_unit
from domain.errors import NotAllowed
from domain.programs.catalogue import Alliance


def without_claims(nets: Parts, held: Held) -> Waterfall:
    """The waterfall where what others owe it is not set off."""
    debts = {party: amount for party, amount in nets.items() if amount > 0}
    return waterfall(sum(debts.values()), debts, held)


async def require_unpaid(session: AsyncSession, alliance: Alliance, cycle: SettlementCycle) -> None:
    """Raises NotAllowed where it is not agreed, or where something was paid; LaterCycleStated."""
    if not alliance.defaults.renet:
        raise NotAllowed(reason="it is not agreed that a cycle is netted again", path=("netAgain",))
    made = (PaymentStatus.PAID, PaymentStatus.MOVED)
    paid = select(func.count()).where(Payment.cycle_id == cycle.id, Payment.status.in_(made))
    if await session.scalar(paid):
        raise NotAllowed(reason="something of this cycle was paid", path=("netAgain",))
    if (later := await queries.first_stated(session, after=cycle.number)) is not None:
        raise LaterCycleStated(number=later, path=("netAgain",))


async def net_again(session: AsyncSession, alliance: Alliance, cycle: SettlementCycle) -> None:
    """Positions and payments of a cycle, without who is in default; what was planned is VOID."""
    await session.execute(delete(NetPosition).where(NetPosition.cycle_id == cycle.id))
    await session.execute(
        update(Payment).where(Payment.cycle_id == cycle.id).values(status=PaymentStatus.VOID.value),
        execution_options={"synchronize_session": "fetch"},
    )
    await netting.leave_out(session, cycle.id, minor_unit(alliance.settlement_currency))
    await plan(session, alliance, cycle)


def paid_off(claims: Parts, losses: Parts) -> list[tuple[uuid.UUID, int]]:
    """What of each claim is covered."""
    return [(party, claim - losses.get(party, 0)) for party, claim in claims.items() if claim > 0]
