"""Applying receipts to payments, and undoing it: payments, positions, cycles and money accounts follow.

Where merchants pay each other, what came makes a payment PAID, and with the last one its cycle is SETTLED. Where all
pay into one account, what came in is a payment's pay-in, and what went out is its pay-out, which makes it PAID.

A payment of which only a part came is split in two, so that sums by status stay as they are; undone, it is one again.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.banking.accounts import Banking
from alliance.banking.errors import NotMatching
from alliance.banking.orders import is_held
from alliance.banking.receipts import Receipt, ReceiptMatch, ReceiptStatus, ReceiptStep, StepKind
from alliance.banking.rules import How, Place
from alliance.banking.telling import tell
from alliance.exposure.commands import hold_still, paid, withhold_again
from alliance.settlement.custody import out_of
from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle
from alliance.settlement.paying import LONGEST_REFERENCE, finish
from alliance.settlement.steps import enter, locked, require
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from domain.errors import NotFound
from domain.events.kinds import EventKind

Parts = Sequence[tuple[Place, int]]


@dataclass(frozen=True, slots=True)
class Work:
    """Receipts to apply in one transaction: what the alliance file says, and whose act it is."""

    session: AsyncSession
    banking: Banking
    about: About


async def apply(work: Work, receipt: Receipt, parts: Parts, how: How) -> None:
    """Let so much of a receipt be so much of each of these payments.

    Raises NotFound, WrongCycleStatus, NotMatching.
    """
    session, about = work.session, work.about
    if sum(amount for _, amount in parts) > await left(session, receipt) or any(amount <= 0 for _, amount in parts):
        raise NotMatching(reason="there is not so much left of the receipt", path=("payments",))
    frozen = await hold_still(session)
    cycles = {id_: await locked(session, id_, about.as_of) for id_ in sorted({place[0] for place, _ in parts})}
    step = await note(work, receipt, StepKind.MATCHED, sum(amount for _, amount in parts), how)
    made: list[Payment] = []
    for (cycle_id, seq), amount in parts:
        cycle = cycles[cycle_id]
        require(cycle, CycleStatus.SETTLING, CycleStatus.SETTLED)
        payment = await _payment(session, cycle_id, seq)
        if about.merchant_id not in (None, payment.payee_id):  # before anything tells what it is like (A14)
            raise NotFound(what="payment", path=("payments",))
        _require_fit(work.banking, receipt, payment, amount)
        confirms = _is_done(receipt, payment)
        if confirms:
            await _require_unconfirmed(session, receipt, payment)
        elif amount < payment.amount:
            await _split(session, payment, amount)
        match = ReceiptMatch(receipt_id=receipt.id, cycle_id=cycle_id, seq=seq, amount=amount, confirms=confirms)
        match.step_id = step.id
        session.add(match)
        await session.flush()
        if not confirms and _settle(work, receipt, payment):
            made.append(payment)
        if receipt.held:
            await _book(work, receipt, match, payment, 1)
    await session.flush()
    await paid(session, made, about.as_of)
    told = [(cycles[payment.cycle_id], payment) for payment in made]
    await tell(session, work.banking, EventKind.RECEIPT_MATCHED, told, about.as_of)
    for cycle in cycles.values():
        if cycle.status == CycleStatus.SETTLING:
            await finish(session, cycle, about.who, about.why, about.as_of)
    if frozen:
        await withhold_again(session, about.as_of)
    await restate(session, receipt)


async def undo(work: Work, receipt: Receipt, matches: Sequence[ReceiptMatch]) -> None:
    """Let these matches of a receipt not have been: payments are awaited again, a settled cycle is being settled.

    Raises NotMatching for a pay-in out of which is paid already.
    """
    session, about = work.session, work.about
    frozen = await hold_still(session)
    cycles = {id_: await locked(session, id_, about.as_of) for id_ in sorted({match.cycle_id for match in matches})}
    step = await note(work, receipt, StepKind.UNMATCHED, sum(match.amount for match in matches), How.BY_HAND)
    unmade: list[Payment] = []
    for match in matches:
        payment = await _payment(session, match.cycle_id, match.seq)
        match.undone_by = step.id
        if receipt.held:
            await _book(work, receipt, match, payment, -1)
        if match.confirms:
            continue
        cycle = cycles[match.cycle_id]
        if payment.status == PaymentStatus.PAID and cycle.status == CycleStatus.SETTLED:
            await enter(session, cycle, CycleStatus.SETTLED, CycleStatus.SETTLING, about.who, about.why, about.as_of)
        if _unsettle(receipt, payment):
            unmade.append(payment)
    await session.flush()
    await paid(session, unmade, about.as_of, undone=True)
    told = [(cycles[payment.cycle_id], payment) for payment in unmade]
    await tell(session, work.banking, EventKind.RECEIPT_UNMATCHED, told, about.as_of)
    for cycle in cycles.values():
        if cycle.status == CycleStatus.SETTLING:
            await finish(session, cycle, about.who, about.why, about.as_of)
            await _unite(session, cycle)
    if frozen:
        await withhold_again(session, about.as_of)
    await restate(session, receipt)


async def note(work: Work, receipt: Receipt, kind: StepKind, amount: int, how: How) -> ReceiptStep:
    """Keep that something is done about a receipt: by whom, why, and approved by whom (A16)."""
    about = work.about
    step = ReceiptStep(receipt_id=receipt.id, kind=kind.value, amount=amount, how=how.value, who=about.who)
    step.approved_by, step.why, step.as_of = about.approved_by, about.why, about.as_of
    work.session.add(step)
    await work.session.flush()
    return step


async def left(session: AsyncSession, receipt: Receipt) -> int:
    """What of a receipt is neither applied nor given back, without its sign."""
    if receipt.status == ReceiptStatus.SPLIT:
        return 0
    applied = select(func.coalesce(func.sum(ReceiptMatch.amount), 0)).where(
        ReceiptMatch.receipt_id == receipt.id, ReceiptMatch.undone_by.is_(None)
    )
    return abs(receipt.amount) - int(await session.scalar(applied) or 0) - receipt.refunded


async def restate(session: AsyncSession, receipt: Receipt) -> None:
    """Let its status be what became of it. A proposal is over once something was decided."""
    rest = await left(session, receipt)
    if rest == abs(receipt.amount):
        receipt.status = ReceiptStatus.OPEN.value
    elif rest:
        receipt.status = ReceiptStatus.PARTLY.value
    else:
        receipt.status = ReceiptStatus.REFUNDED.value if receipt.refunded else ReceiptStatus.APPLIED.value
    receipt.proposal = None
    await session.flush()


async def _payment(session: AsyncSession, cycle_id: uuid.UUID, seq: int) -> Payment:
    """As it is now: its cycle is locked. Raises NotFound."""
    query = select(Payment).where(Payment.cycle_id == cycle_id, Payment.seq == seq)
    found = await session.scalar(query, execution_options={"populate_existing": True})
    if found is None:
        raise NotFound(what="payment", path=("payments",))
    return found


def _is_done(receipt: Receipt, payment: Payment) -> bool:
    """Whether what the receipt tells was recorded before: that a payment was paid in, or that it was PAID."""
    if receipt.held and receipt.amount > 0:
        return payment.paid_in_on is not None
    return payment.status == PaymentStatus.PAID


def _require_fit(banking: Banking, receipt: Receipt, payment: Payment, amount: int) -> None:
    """Raises NotMatching unless the money can be that payment's."""
    if payment.status not in (PaymentStatus.PLANNED, PaymentStatus.PAID):
        raise NotMatching(reason=f"the payment is {payment.status}", path=("payments",))
    if amount > payment.amount or (_is_done(receipt, payment) and amount != payment.amount):
        raise NotMatching(reason="the payment is not of that amount", path=("payments",))
    if receipt.reversal:
        raise NotMatching(reason="it takes back what came before: unmatch that", path=("receipt",))
    if not receipt.held:
        if receipt.owner_id != payment.payee_id or receipt.amount < 0 or not banking.is_direct:
            raise NotMatching(reason="it is not the payee who received it", path=("payments",))
    elif receipt.amount < 0 and (payment.released_at is None or amount != payment.amount):
        raise NotMatching(reason="that was not released to be paid out", path=("payments",))


async def _require_unconfirmed(session: AsyncSession, receipt: Receipt, payment: Payment) -> None:
    """Raises NotMatching for a payment that another receipt of the same direction is matched with already."""
    known = select(func.count()).select_from(ReceiptMatch).join(Receipt, Receipt.id == ReceiptMatch.receipt_id)
    known = known.where(
        ReceiptMatch.cycle_id == payment.cycle_id, ReceiptMatch.seq == payment.seq, ReceiptMatch.undone_by.is_(None)
    )
    if await session.scalar(known.where((Receipt.amount > 0) == (receipt.amount > 0))):
        raise NotMatching(reason="that was paid before", path=("payments",))


async def _split(session: AsyncSession, payment: Payment, amount: int) -> None:
    """Let a payment be of this amount, and another one of the rest, which is still to be paid."""
    numbers = select(func.max(Payment.seq)).where(Payment.cycle_id == payment.cycle_id)
    rest = Payment(cycle_id=payment.cycle_id, seq=int(await session.scalar(numbers) or 0) + 1)
    rest.payer_id, rest.payee_id, rest.status = payment.payer_id, payment.payee_id, PaymentStatus.PLANNED.value
    rest.amount, payment.amount = payment.amount - amount, amount
    rest.split_of = payment.split_of or payment.seq
    session.add(rest)
    await session.flush()


def _settle(work: Work, receipt: Receipt, payment: Payment) -> bool:
    """Let a payment be received, paid in or paid out; whether it is PAID by that."""
    if receipt.held and receipt.amount > 0:
        payment.paid_in_on = receipt.value_date
        return False
    payment.status, payment.paid_at = PaymentStatus.PAID.value, work.about.as_of
    payment.received_on, payment.reference = receipt.value_date, receipt.reference[:LONGEST_REFERENCE] or None
    return True


def _unsettle(receipt: Receipt, payment: Payment) -> bool:
    """The opposite of `_settle`; whether it was PAID by that. Raises NotMatching."""
    if receipt.held and receipt.amount > 0:
        if payment.released_at is not None or payment.status != PaymentStatus.PLANNED:
            raise NotMatching(reason="it is being paid out already", path=("receipt",))
        payment.paid_in_on = None
        return False
    payment.status, payment.paid_at = PaymentStatus.PLANNED.value, None
    payment.received_on, payment.reference = None, None
    return True


async def _unite(session: AsyncSession, cycle: SettlementCycle) -> None:
    """Let parts of one payment of which nothing came be one payment again."""
    query = select(Payment).where(
        Payment.cycle_id == cycle.id,
        Payment.status == PaymentStatus.PLANNED,
        Payment.paid_in_on.is_(None),
        Payment.released_at.is_(None),
        ~is_held(),
    )
    parts: dict[int, list[Payment]] = defaultdict(list)
    for payment in await session.scalars(query.order_by(Payment.seq)):
        parts[payment.split_of or payment.seq].append(payment)
    for first, *others in parts.values():
        first.amount += sum(other.amount for other in others)
        gone = [other.seq for other in others]
        for other in others:
            session.expunge(other)
        await session.flush()
        await session.execute(delete(Payment).where(Payment.cycle_id == cycle.id, Payment.seq.in_(gone)))


async def _book(work: Work, receipt: Receipt, match: ReceiptMatch, payment: Payment, sign: int) -> None:
    """What comes in leaves the cash of whoever paid it for the cycle; what is paid out leaves the cycle for the bank.

    What was recorded by hand before left the cycle then; what came in was then booked twice.
    """
    alliance_id, amount = work.banking.alliance_id, match.amount
    if receipt.amount > 0:
        other = MoneyAccount.BANK if match.confirms else MoneyAccount.CLEARING
        entries = [(MoneyAccount.UNAPPLIED, receipt.payer_id or alliance_id, amount), (other, alliance_id, -amount)]
    else:
        entries = [] if match.confirms else out_of(alliance_id, payment)
    about = work.about
    if entries:
        await post(
            work.session,
            kind="RECEIPT_MATCHED" if sign > 0 else "RECEIPT_UNMATCHED",
            entries=[(account, party, sign * moved) for account, party, moved in entries],
            who=about.who,
            why=about.why,
            as_of=about.as_of,
            cause_id=match.id,
            approved_by=about.approved_by,
        )
