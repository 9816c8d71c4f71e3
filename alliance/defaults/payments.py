"""Payments of a merchant in default: what is paid in its place, what it owes again, what is withheld from it."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle

COVERED = "covered by what was deposited"
"""The reference of a payment that was made from collateral or the guarantee fund."""


async def cover(
    session: AsyncSession, parts: Sequence[tuple[Payment, int]], rest: PaymentStatus, as_of: datetime
) -> list[Payment]:
    """Have so much of each of a cycle's payments made now, and leave the rest of each as `rest`: those that changed."""
    changed = []
    last = 0
    if parts:
        numbers = select(func.max(Payment.seq)).where(Payment.cycle_id == parts[0][0].cycle_id)
        last = (await session.scalars(numbers)).one()
    for payment, covered in parts:
        left = payment.amount - covered
        if not covered:
            payment.status = rest.value
        else:
            payment.amount, payment.status = covered, PaymentStatus.PAID.value
            payment.paid_at, payment.reference = as_of, COVERED
        changed.append(payment)
        if covered and left:
            last += 1
            more = Payment(cycle_id=payment.cycle_id, seq=last, payer_id=payment.payer_id, payee_id=payment.payee_id)
            more.amount, more.status = left, rest.value
            session.add(more)
            changed.append(more)
    await session.flush()
    return [payment for payment in changed if payment.status != PaymentStatus.PLANNED]


async def withhold(session: AsyncSession, payee_id: uuid.UUID) -> None:
    """Withhold what others were to pay to a merchant in cycles that are being settled."""
    await _turn(session, payee_id, PaymentStatus.PLANNED, PaymentStatus.HELD)


async def release(session: AsyncSession, payee_id: uuid.UUID) -> None:
    """The opposite of `withhold`."""
    await _turn(session, payee_id, PaymentStatus.HELD, PaymentStatus.PLANNED)


async def _turn(session: AsyncSession, payee_id: uuid.UUID, before: PaymentStatus, after: PaymentStatus) -> None:
    unsettled = select(SettlementCycle.id).where(SettlementCycle.status.in_((CycleStatus.NETTED, CycleStatus.SETTLING)))
    turned = update(Payment).where(
        Payment.cycle_id.in_(unsettled), Payment.payee_id == payee_id, Payment.status == before
    )
    await session.execute(turned.values(status=after.value), execution_options={"synchronize_session": "fetch"})
