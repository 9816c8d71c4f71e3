"""Releasing payments to banks, and holding them back (A12, A16).

What is released is a file as it was: asked for by its message id, which is made of its content, so that nothing else is
released than was approved. Nobody is paid out of the account that all pay into before all pay-ins of the cycle are in.
"""

import uuid
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.banking.accounts import Banking, banking_of
from alliance.banking.errors import NotMatching, PaymentsChanged
from alliance.banking.orders import FileKind, PaymentFile, drafts, is_held
from alliance.banking.receipts import PaymentHold, ReleasedFile
from alliance.banking.telling import tell
from alliance.exposure.commands import hold_still, paid, withhold_again
from alliance.runtime import Runtime
from alliance.settlement.custody import account_of_all, out_of, require_paid_in
from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle
from alliance.settlement.paying import finish
from alliance.settlement.steps import locked, require
from alliance.treasury.commands import post
from domain.errors import NotFound
from domain.events.kinds import EventKind
from domain.privacy.vault import open_many, seal_many

Args = dict[str, Any]
FIELD = "payment file"


async def to_release(session: AsyncSession, cycle: SettlementCycle, party: uuid.UUID | None) -> list[PaymentFile]:
    """The files of a cycle that wait to be released; for a merchant its own.

    Raises WrongCycleStatus, AccountMissing, PayInsMissing, NotMatching where there is nothing.
    """
    require(cycle, CycleStatus.SETTLING)
    alliance = await account_of_all(session)
    if alliance is not None and party is None:
        await require_paid_in(session, cycle, alliance)
    files = [file for file in await drafts(session, cycle, party=party) if file.kind != FileKind.PAY_INS]
    own = alliance is not None and party is None and await _operator_s_own(session, cycle, alliance.id)
    if not files and not own:
        raise NotMatching(reason="there is nothing to release", path=("cycle",))
    return files


async def release_payments(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Release the files `messages` of the cycle `cycle`: all that wait. Raises as `to_release`; PaymentsChanged."""
    frozen = await hold_still(session)
    cycle = await locked(session, uuid.UUID(args["cycle"]), about.as_of)
    files = await to_release(session, cycle, about.merchant_id)
    if sorted(file.message_id for file in files) != sorted(args["messages"]):
        raise PaymentsChanged(path=("cycle",))
    sealed = await seal_many(session, [(file.party_id, FIELD, file.content.decode()) for file in files])
    for file, content in zip(files, sealed, strict=True):
        kept = ReleasedFile(cycle_id=cycle.id, party_id=file.party_id, kind=file.kind.value, content=content)
        kept.message_id, kept.sha256 = file.message_id, sha256(file.content).hexdigest()
        kept.numbers, kept.total = list(file.numbers), file.total
        kept.who, kept.approved_by, kept.why, kept.as_of = about.who, about.approved_by, about.why, about.as_of
        session.add(kept)
    await session.flush()
    banking = await banking_of(session)
    numbers = [number for file in files for number in file.numbers]
    released = update(Payment).where(Payment.cycle_id == cycle.id, Payment.seq.in_(numbers)).returning(Payment)
    rows = await session.scalars(
        released.values(released_at=about.as_of), execution_options={"populate_existing": True}
    )
    told = sorted(((cycle, payment) for payment in rows), key=lambda one: one[1].seq)
    await tell(session, banking, EventKind.PAYMENT_RELEASED, told, about.as_of)
    if not banking.is_direct and about.merchant_id is None:
        await _pay_the_operator(session, banking, cycle, about)
    if frozen:
        await withhold_again(session, about.as_of)
    return {"cycle": str(cycle.id), "messages": [file.message_id for file in files]}


async def _operator_s_own(session: AsyncSession, cycle: SettlementCycle, alliance_id: uuid.UUID) -> Sequence[Payment]:
    """What the operator is to be paid out of the account in which the money lies already."""
    query = select(Payment).where(
        Payment.cycle_id == cycle.id,
        Payment.payee_id == alliance_id,
        Payment.status == PaymentStatus.PLANNED,
        ~is_held(),
    )
    return (await session.scalars(query)).all()


async def _pay_the_operator(session: AsyncSession, banking: Banking, cycle: SettlementCycle, about: About) -> None:
    """Its money does not move: it is its own from now on."""
    own = await _operator_s_own(session, cycle, banking.alliance_id)
    for payment in own:
        payment.status, payment.paid_at = PaymentStatus.PAID.value, about.as_of
        payment.released_at, payment.received_on = about.as_of, payment.paid_in_on
        await post(
            session,
            kind="PAID_TO_OPERATOR",
            entries=out_of(banking.alliance_id, payment),
            who=about.who,
            why=about.why,
            as_of=about.as_of,
            cause_id=cycle.id,
            approved_by=about.approved_by,
        )
    await session.flush()
    await paid(session, own, about.as_of)
    await finish(session, cycle, about.who, about.why, about.as_of)


async def files_of(session: AsyncSession, cycle: SettlementCycle, party: uuid.UUID | None = None) -> list[PaymentFile]:
    """The files of a cycle that were released, as they were, in order, then those that wait; for a merchant its own.

    Raises AccountMissing.
    """
    query = select(ReleasedFile).where(ReleasedFile.cycle_id == cycle.id).order_by(ReleasedFile.id)
    rows = (await session.scalars(query if party is None else query.where(ReleasedFile.party_id == party))).all()
    contents = await open_many(session, [(row.party_id, FIELD, row.content) for row in rows])
    kept = [
        PaymentFile(
            FileKind(row.kind),
            row.party_id,
            row.message_id,
            tuple(row.numbers),
            row.total,
            content.encode(),
            row.as_of,
        )
        for row, content in zip(rows, contents, strict=True)
        if content is not None
    ]
    return [*kept, *await drafts(session, cycle, party=party)]


async def hold_payment(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Hold the payment `number` of the cycle `cycle` back from being released. Raises NotFound, NotMatching."""
    payment = await payment_to_hold(session, args, about)
    if await _hold(session, payment) is not None:
        raise NotMatching(reason="it is held already", path=("payment",))
    hold = PaymentHold(cycle_id=payment.cycle_id, seq=payment.seq, who=about.who, approved_by=about.approved_by)
    hold.why, hold.held_at = about.why, about.as_of
    session.add(hold)
    await session.flush()
    return {"cycle": str(payment.cycle_id), "number": payment.seq}


async def lift_hold(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """The opposite of `hold_payment`. Raises NotFound, NotMatching."""
    payment = await payment_to_hold(session, args, about)
    hold = await _hold(session, payment)
    if hold is None:
        raise NotMatching(reason="it is not held", path=("payment",))
    hold.lifted_at, hold.lifted_by, hold.lifted_why = about.as_of, about.who, about.why
    hold.lifted_approved_by = about.approved_by
    await session.flush()
    return {"cycle": str(payment.cycle_id), "number": payment.seq}


async def payment_to_hold(session: AsyncSession, args: Args, about: About) -> Payment:
    """A payment that is still to be released, its cycle locked; a merchant's is one it makes.

    Raises NotFound, NotMatching.
    """
    cycle = await locked(session, uuid.UUID(args["cycle"]), about.as_of)
    query = select(Payment).where(Payment.cycle_id == cycle.id, Payment.seq == args["number"])
    found = await session.scalar(query, execution_options={"populate_existing": True})
    if found is None or about.merchant_id not in (None, found.payer_id):
        raise NotFound(what="payment", path=("payment",))
    if found.status != PaymentStatus.PLANNED or found.released_at is not None:
        raise NotMatching(reason="it was released or paid already", path=("payment",))
    return found


async def _hold(session: AsyncSession, payment: Payment) -> PaymentHold | None:
    query = select(PaymentHold).where(PaymentHold.cycle_id == payment.cycle_id, PaymentHold.seq == payment.seq)
    return await session.scalar(query.where(PaymentHold.lifted_at.is_(None)))
