"""Where all pay into one account: what is paid in, what is paid out, and that nobody is paid before all is in (A12).

What is on its way through a cycle is CLEARING. The operator's own payments do not leave the account: OPERATOR is its.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.errors import PayInsMissing
from alliance.settlement.model import Payment, PaymentStatus, SettlementCycle
from alliance.treasury.commands import Entry, post
from alliance.treasury.model import MoneyAccount
from domain.money import from_minor
from domain.programs.model import AllianceRow


async def account_of_all(session: AsyncSession) -> AllianceRow | None:
    """The alliance, if all pay into one account; None where merchants pay each other."""
    alliance = (await session.scalars(select(AllianceRow))).one_or_none()
    said = {} if alliance is None else alliance.terms.get("settlement", {})
    return alliance if said.get("mode", "direct") != "direct" else None


async def require_paid_in(session: AsyncSession, cycle: SettlementCycle, alliance: AllianceRow) -> None:
    """Raises PayInsMissing unless all that is to be paid of a cycle is in, or was covered: then it is not PLANNED."""
    missing = select(func.coalesce(func.sum(Payment.amount), 0)).where(
        Payment.cycle_id == cycle.id,
        Payment.status == PaymentStatus.PLANNED,
        Payment.paid_in_on.is_(None),
        Payment.payer_id != alliance.id,
    )
    if lacking := int(await session.scalar(missing) or 0):
        said = from_minor(lacking, alliance.settlement_currency)
        raise PayInsMissing(number=cycle.number, missing=f"{said} {alliance.settlement_currency}", path=("cycle",))


async def record(
    session: AsyncSession,
    alliance: AllianceRow,
    payments: Sequence[Payment],
    *,
    inward: bool,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
) -> list[Payment]:
    """Let planned payments be paid in, where `inward`, and out where they were released: those that are PAID now."""
    ins: list[Payment] = []
    outs: list[Payment] = []
    for payment in payments:
        if payment.paid_in_on is None and payment.payer_id != alliance.id:
            if inward:
                payment.paid_in_on = as_of.astimezone(ZoneInfo(alliance.timezone)).date()
                ins.append(payment)
        elif payment.released_at is not None:
            outs.append(payment)
    entries: list[Entry] = []
    for payment in ins:
        entries += [(MoneyAccount.BANK, alliance.id, payment.amount)]
        entries += [(MoneyAccount.CLEARING, alliance.id, -payment.amount)]
    for payment in outs:
        entries += out_of(alliance.id, payment)
    if entries:
        cause_id = payments[0].cycle_id
        await post(session, kind="PAID_BY_HAND", entries=entries, who=who, why=why, as_of=as_of, cause_id=cause_id)
    return outs


def out_of(alliance_id: uuid.UUID, payment: Payment) -> list[Entry]:
    """What a payment moves as it is paid out: from the operator's own or the cycle's money, to it or from the bank."""
    source = MoneyAccount.OPERATOR if payment.payer_id == alliance_id else MoneyAccount.CLEARING
    target = MoneyAccount.OPERATOR if payment.payee_id == alliance_id else MoneyAccount.BANK
    return [(source, alliance_id, payment.amount), (target, alliance_id, -payment.amount)]
