"""The files of payments of a cycle: who is told to pay what to whom, from which account to which.

With `direct` settlement a payer's file has the payments that it makes. Otherwise it has what it pays in, and the
operator's file has what is paid out of the account that all pay into. What the operator pays or is paid itself does
not leave that account.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.accounts import Banking, banking_of
from alliance.banking.model import Account, Order, Transfer
from alliance.banking.pain import payment_file
from alliance.banking.receipts import PaymentHold
from alliance.banking.references import reference
from alliance.settlement import queries
from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle


class FileKind(StrEnum):
    """PAYMENTS to the payees themselves; PAY_INS into the account that all pay into, PAY_OUTS from it."""

    PAYMENTS = "PAYMENTS"
    PAY_INS = "PAY_INS"
    PAY_OUTS = "PAY_OUTS"


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A file for the bank of `party_id`; `numbers` are the payments in it, `total` is in minor units.

    One that was not released is as it would be now.
    """

    kind: FileKind
    party_id: uuid.UUID
    message_id: str
    numbers: tuple[int, ...]
    total: int
    content: bytes
    released_at: datetime | None = None


async def drafts(session: AsyncSession, cycle: SettlementCycle, *, party: uuid.UUID | None = None) -> list[PaymentFile]:
    """The files of what is still to be released of a cycle; for a merchant its own. None before it is being settled.

    A payment that is held back is in none.

    Raises AccountMissing.
    """
    if cycle.status != CycleStatus.SETTLING or cycle.payments_due is None:
        return []
    banking = await banking_of(session)
    rows = await _waiting(session, cycle)
    steps = (await queries.transitions(session, [cycle.id]))[cycle.id]
    planned_at = next(step.as_of for step in steps if step.status == CycleStatus.NETTED)
    due = last_day(cycle.payments_due, banking)
    files = []
    for kind, payer, payments in _grouped(banking, rows):
        if party in (None, payer):
            files.append(_file(banking, cycle, kind, payer, payments, due, planned_at))
    return files


async def _waiting(session: AsyncSession, cycle: SettlementCycle) -> Sequence[Payment]:
    """What is planned, and neither released nor held back."""
    query = select(Payment).where(
        Payment.cycle_id == cycle.id,
        Payment.status == PaymentStatus.PLANNED,
        Payment.released_at.is_(None),
        ~is_held(),
    )
    return (await session.scalars(query.order_by(Payment.seq))).all()


def is_held() -> ColumnElement[bool]:
    """Of a payment: that it is held back by hand."""
    return exists().where(
        PaymentHold.cycle_id == Payment.cycle_id, PaymentHold.seq == Payment.seq, PaymentHold.lifted_at.is_(None)
    )


def last_day(payments_due: datetime, banking: Banking) -> date:
    """The last day on which is paid in time."""
    return (payments_due - timedelta.resolution).astimezone(banking.zone).date()


def _grouped(banking: Banking, rows: Iterable[Payment]) -> list[tuple[FileKind, uuid.UUID, list[Payment]]]:
    """What each file is of, whose, and its payments in order."""
    groups: dict[tuple[FileKind, uuid.UUID], list[Payment]] = {}
    own = banking.alliance_id
    for row in rows:
        if banking.is_direct:
            groups.setdefault((FileKind.PAYMENTS, row.payer_id), []).append(row)
            continue
        if row.payer_id != own and row.paid_in_on is None:
            groups.setdefault((FileKind.PAY_INS, row.payer_id), []).append(row)
        if row.payee_id != own:
            groups.setdefault((FileKind.PAY_OUTS, own), []).append(row)
    return [(kind, party, groups[kind, party]) for kind, party in sorted(groups)]


def _file(
    banking: Banking,
    cycle: SettlementCycle,
    kind: FileKind,
    party: uuid.UUID,
    payments: Sequence[Payment],
    due: date,
    planned_at: datetime,
) -> PaymentFile:
    transfers = tuple(
        Transfer(
            reference=reference(banking.code, cycle.number, row.seq),
            to=_paid_to(banking, kind, row),
            amount=row.amount,
            text=f"{reference(banking.code, cycle.number, row.seq)} {banking.codes[row.payer_id]}"
            f" to {banking.codes[row.payee_id]}",
        )
        for row in payments
    )
    order = Order(banking.name, banking.account(party), banking.currency, due, planned_at, transfers)
    message_id, content = payment_file(order)
    numbers = tuple(row.seq for row in payments)
    return PaymentFile(kind, party, message_id, numbers, sum(row.amount for row in payments), content)


def _paid_to(banking: Banking, kind: FileKind, row: Payment) -> Account:
    return banking.account(banking.alliance_id if kind == FileKind.PAY_INS else row.payee_id)
