"""Reading receipts and what was done about them: of one owner's account (A14), or of all."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.accounts import Banking, banking_of
from alliance.banking.orders import last_day
from alliance.banking.receipts import PaymentHold, Receipt, ReceiptMatch, ReceiptStatus, ReceiptStep
from alliance.banking.references import reference
from alliance.settlement.model import Payment, PaymentStatus, SettlementCycle
from domain.privacy.vault import open_many


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which receipts: of this owner's account (None: all), of this status, of this file."""

    owner_id: uuid.UUID | None = None
    status: ReceiptStatus | None = None
    import_id: uuid.UUID | None = None
    unapplied: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt with what is sealed of it, what is left of it, and to which payments it was applied."""

    receipt: Receipt
    name: str
    account: str
    text: str
    left: int
    matches: tuple[ReceiptMatch, ...]
    steps: tuple[ReceiptStep, ...]


async def page(
    session: AsyncSession, wanted: Wanted, *, before: uuid.UUID | None = None, first: int = 50
) -> Sequence[Receipt]:
    """Receipts, newest first, of before the one named."""
    query = select(Receipt).where(*_those(wanted)).order_by(Receipt.id.desc()).limit(first)
    return (await session.scalars(query if before is None else query.where(Receipt.id < before))).all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are."""
    return int(await session.scalar(select(func.count()).select_from(Receipt).where(*_those(wanted))) or 0)


def _those(wanted: Wanted) -> list[ColumnElement[bool]]:
    those: list[ColumnElement[bool]] = []
    if wanted.owner_id is not None:
        those.append(Receipt.owner_id == wanted.owner_id)
    if wanted.status is not None:
        those.append(Receipt.status == wanted.status)
    if wanted.import_id is not None:
        those.append(Receipt.import_id == wanted.import_id)
    if wanted.unapplied:
        open_ = (ReceiptStatus.OPEN, ReceiptStatus.PROPOSED, ReceiptStatus.PARTLY)
        those += [Receipt.status.in_(open_), Receipt.amount > 0, ~Receipt.reversal]
    return those


async def told(session: AsyncSession, receipts: Sequence[Receipt]) -> list[Told]:
    """The receipts with all that is known of them."""
    ids = [receipt.id for receipt in receipts]
    matches: dict[uuid.UUID, list[ReceiptMatch]] = defaultdict(list)
    for match in await session.scalars(
        select(ReceiptMatch).where(ReceiptMatch.receipt_id.in_(ids), ReceiptMatch.undone_by.is_(None))
    ):
        matches[match.receipt_id].append(match)
    steps: dict[uuid.UUID, list[ReceiptStep]] = defaultdict(list)
    for step in await session.scalars(
        select(ReceiptStep).where(ReceiptStep.receipt_id.in_(ids)).order_by(ReceiptStep.id)
    ):
        steps[step.receipt_id].append(step)
    sealed = [
        (receipt.owner_id, field, content)
        for receipt in receipts
        for field in ("name", "account", "told")
        if (content := getattr(receipt, field)) is not None
    ]
    opened = iter(await open_many(session, sealed))
    found = []
    for receipt in receipts:
        said = {
            field: "" if getattr(receipt, field) is None else next(opened) or ""
            for field in ("name", "account", "told")
        }
        own = tuple(matches[receipt.id])
        applied = sum(match.amount for match in own)
        left = 0 if receipt.status == ReceiptStatus.SPLIT else abs(receipt.amount) - applied - receipt.refunded
        told_ = Told(receipt, said["name"], said["account"], said["told"], left, own, tuple(steps[receipt.id]))
        found.append(told_)
    return found


async def by_ids(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Receipt]:
    """Receipts by id."""
    return {row.id: row for row in await session.scalars(select(Receipt).where(Receipt.id.in_(ids)))}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a payment stands with banks: its reference there, whether it is held back, how many days it is late."""

    reference: str
    held: bool
    days_late: int


async def standings(
    session: AsyncSession, asked: Sequence[tuple[SettlementCycle, Payment]], today: date
) -> list[Standing]:
    """Of payments, in order."""
    banking = await banking_of(session)
    query = select(PaymentHold.cycle_id, PaymentHold.seq).where(
        PaymentHold.cycle_id.in_({cycle.id for cycle, _ in asked}), PaymentHold.lifted_at.is_(None)
    )
    held = {(cycle_id, seq) for cycle_id, seq in await session.execute(query)}
    return [
        Standing(
            reference(banking.code, cycle.number, payment.split_of or payment.seq),
            (payment.cycle_id, payment.seq) in held,
            days_late(cycle, payment, banking, today),
        )
        for cycle, payment in asked
    ]


def days_late(cycle: SettlementCycle, payment: Payment, banking: Banking, today: date) -> int:
    """How many days after the last day to pay a payment came; one that is still to come, until `today`."""
    if cycle.payments_due is None or payment.status not in (PaymentStatus.PLANNED, PaymentStatus.PAID):
        return 0
    came = payment.paid_in_on or payment.received_on
    if came is None:
        came = today if payment.paid_at is None else payment.paid_at.astimezone(banking.zone).date()
    return max(0, (came - last_day(cycle.payments_due, banking)).days)
