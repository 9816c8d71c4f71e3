"""Paying a cycle: from when it is to be paid, to when the last payment was received."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exposure.commands import hold_still, paid, withhold_again
from alliance.settlement.custody import account_of_all, record
from alliance.settlement.model import CycleStatus, NetPosition, Payment, PaymentStatus, SettlementCycle
from alliance.settlement.rules import minor_unit
from alliance.settlement.steps import enter, locked, require
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.programs.model import AllianceRow

LONGEST_REFERENCE = 200

RECORD_RECEIPT = "RECORD_RECEIPT"
"""The act whose limit, where the alliance names one, is how much one person records as received."""


async def settle_cycle(
    session: AsyncSession, cycle_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime
) -> SettlementCycle:
    """Have the planned payments of a netted cycle made: from now on it is not aborted. With none it is SETTLED.

    Raises NotFound, WrongCycleStatus.
    """
    frozen = await hold_still(session)
    cycle = await locked(session, cycle_id, as_of)
    await enter(session, cycle, CycleStatus.NETTED, CycleStatus.SETTLING, who, why, as_of)
    await finish(session, cycle, who, why, as_of)
    if frozen:
        await withhold_again(session, as_of)
    return cycle


async def record_receipts(
    session: AsyncSession,
    cycle_id: uuid.UUID,
    *,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
    number: int | None = None,
    payee_id: uuid.UUID | None = None,
    amount: int | None = None,
    reference: str | None = None,
    alone: int | None = None,
) -> SettlementCycle:
    """Record a payment as received, or all that are left; with the last one the cycle is SETTLED.

    A payee sees only its own. `amount`, if it is given, is what came of that one payment, in minor units. Recording a
    payment again changes nothing. Where all pay into one account, a payment's pay-in is recorded, which a payee does
    not see, and once it was released, that it was paid out. `alone`: up to how many millionths one person records
    without a bank's word for it (A16); None is without end.

    Raises NotFound, WrongCycleStatus; InvalidInput for what was not planned so; NotAllowed beyond `alone`.
    """
    frozen = await hold_still(session)
    cycle = await locked(session, cycle_id, as_of)
    require(cycle, *((CycleStatus.SETTLING,) if number is None else (CycleStatus.SETTLING, CycleStatus.SETTLED)))
    if reference is not None and len(reference) > LONGEST_REFERENCE:
        raise InvalidInput(reason=f"a reference has at most {LONGEST_REFERENCE} characters", path=("reference",))
    made = (PaymentStatus.PLANNED, PaymentStatus.PAID)
    query = select(Payment).where(Payment.cycle_id == cycle_id, Payment.status.in_(made)).order_by(Payment.seq)
    if number is not None:
        query = query.where(Payment.seq == number)
    if payee_id is not None:
        query = query.where(Payment.payee_id == payee_id)
    payments = (await session.scalars(query)).all()
    if not payments:
        raise NotFound(what="payment", path=("payment",))
    if amount is not None and (number is None or amount != payments[0].amount):
        raise InvalidInput(reason="that is not the amount that was to be paid", path=("amount",))
    made_now = [payment for payment in payments if payment.status == PaymentStatus.PLANNED]
    await _require_alone(session, made_now, alone)
    if made_now and (alliance := await account_of_all(session)) is not None:
        inward = payee_id is None
        made_now = await record(session, alliance, made_now, inward=inward, who=who, why=why, as_of=as_of)
    for payment in made_now:
        payment.status, payment.paid_at, payment.reference = PaymentStatus.PAID.value, as_of, reference
    await session.flush()
    await paid(session, made_now, as_of)
    if cycle.status == CycleStatus.SETTLING:
        await finish(session, cycle, who, why, as_of)
    if frozen:
        await withhold_again(session, as_of)
    return cycle


async def _require_alone(session: AsyncSession, payments: Sequence[Payment], alone: int | None) -> None:
    """Raises NotAllowed for more than one person records."""
    if alone is None:
        return
    currency = (await session.scalars(select(AllianceRow.settlement_currency))).one()
    if sum(payment.amount for payment in payments) * minor_unit(currency) > alone:
        reason = "so much is matched with what the bank reports, which takes two people"
        raise NotAllowed(reason=reason, path=("payment",))


async def finish(session: AsyncSession, cycle: SettlementCycle, who: uuid.UUID, why: str, as_of: datetime) -> None:
    """Let positions follow the payments that were made; with nothing left to pay, the cycle is SETTLED."""
    await session.execute(text(_SETTLE_POSITIONS), {"cycle": cycle.id})
    waiting = (PaymentStatus.PLANNED, PaymentStatus.HELD)
    planned = select(func.count()).where(Payment.cycle_id == cycle.id, Payment.status.in_(waiting))
    if await session.scalar(planned):
        return
    left = select(func.count()).where(
        NetPosition.cycle_id == cycle.id, NetPosition.amount != NetPosition.settled + NetPosition.carried
    )
    if await session.scalar(left):
        raise RuntimeError(f"the payments of cycle {cycle.number} do not bring its positions to zero")
    await enter(session, cycle, CycleStatus.SETTLING, CycleStatus.SETTLED, who, why, as_of)


_SETTLE_POSITIONS = """
UPDATE net_position SET settled = moved.amount
FROM (SELECT merchant_id, coalesce(sum(amount) FILTER (WHERE status IN ('PAID', 'MOVED')), 0)::bigint AS amount
      FROM (SELECT payee_id AS merchant_id, amount, status FROM payment WHERE cycle_id = :cycle
            UNION ALL
            SELECT payer_id, -amount, status FROM payment WHERE cycle_id = :cycle) AS leg
      GROUP BY merchant_id) AS moved
WHERE net_position.cycle_id = :cycle AND net_position.merchant_id = moved.merchant_id
"""
