"""What is asked for about receipts and payments, as the arguments of an act, and for how much: minor units."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.accounts import Banking
from alliance.banking.applying import left
from alliance.banking.errors import NotMatching
from alliance.banking.receipts import Receipt, ReceiptMatch
from alliance.banking.releasing import to_release
from alliance.settlement.model import Payment, SettlementCycle
from alliance.settlement.queries import by_numbers
from domain.errors import NotFound

Asked = tuple[dict[str, Any], int]
Payments = Sequence[tuple[int, int, int | None]]
"""Cycle, number, and minor units; None: as much as there is."""


async def receipt_of(session: AsyncSession, id_: uuid.UUID, owner_id: uuid.UUID | None = None) -> Receipt:
    """Raises NotFound, also for another's."""
    found = await session.get(Receipt, id_)
    if found is None or owner_id not in (None, found.owner_id):
        raise NotFound(what="receipt", path=("receipt",))
    return found


async def match(
    session: AsyncSession,
    banking: Banking,
    receipt_id: uuid.UUID,
    payments: Payments | None,
    owner_id: uuid.UUID | None = None,
) -> Asked:
    """To apply a receipt to these payments; None: as is proposed. Raises NotFound, NotMatching."""
    receipt = await receipt_of(session, receipt_id, owner_id)
    if payments is None:
        if receipt.proposal is None:
            raise NotMatching(reason="nothing is proposed: name payments", path=("payments",))
        parts = receipt.proposal["parts"]
    else:
        parts = await _parts(session, payments, await left(session, receipt), owner_id)
    return {"receipt": str(receipt.id), "parts": parts}, sum(part["amount"] for part in parts)


async def _parts(
    session: AsyncSession, payments: Payments, rest: int, payee_id: uuid.UUID | None
) -> list[dict[str, Any]]:
    """What is kept of them is shown to who asks: a merchant names those made to it (A14). Raises NotFound."""
    cycles = await by_numbers(session, {cycle for cycle, _, _ in payments})
    parts = []
    for number, seq, amount in payments:
        cycle = cycles.get(number)
        payment = None if cycle is None else await session.get(Payment, (cycle.id, seq))
        if cycle is None or payment is None or payee_id not in (None, payment.payee_id):
            raise NotFound(what="payment", path=("payments",))
        part = min(rest, payment.amount) if amount is None else amount
        parts.append({"cycle": str(cycle.id), "number": seq, "amount": part})
        rest -= part
    return parts


async def unmatch(session: AsyncSession, receipt_id: uuid.UUID, owner_id: uuid.UUID | None = None) -> Asked:
    """To undo all that a receipt is applied to. Raises NotFound."""
    receipt = await receipt_of(session, receipt_id, owner_id)
    applied = select(func.coalesce(func.sum(ReceiptMatch.amount), 0)).where(
        ReceiptMatch.receipt_id == receipt.id, ReceiptMatch.undone_by.is_(None)
    )
    return {"receipt": str(receipt.id)}, int(await session.scalar(applied) or 0)


async def split(
    session: AsyncSession, receipt_id: uuid.UUID, amounts: Sequence[int], owner_id: uuid.UUID | None = None
) -> Asked:
    """To have parts stand in a receipt's place. Raises NotFound."""
    receipt = await receipt_of(session, receipt_id, owner_id)
    return {"receipt": str(receipt.id), "amounts": list(amounts)}, abs(receipt.amount)


async def refund(
    session: AsyncSession, receipt_id: uuid.UUID, amount: int | None, owner_id: uuid.UUID | None = None
) -> Asked:
    """To give back so much of what is left of a receipt; None: all. Raises NotFound."""
    receipt = await receipt_of(session, receipt_id, owner_id)
    rest = await left(session, receipt) if amount is None else amount
    return {"receipt": str(receipt.id), "amount": rest}, rest


async def release(session: AsyncSession, cycle: SettlementCycle, party: uuid.UUID | None = None) -> Asked:
    """To release all that waits of a cycle. Raises as `releasing.to_release`."""
    files = await to_release(session, cycle, party)
    messages = [file.message_id for file in files]
    return {"cycle": str(cycle.id), "messages": messages}, sum(file.total for file in files)


async def payment(session: AsyncSession, cycle: SettlementCycle, number: int, party: uuid.UUID | None = None) -> Asked:
    """To hold a payment back, or let it go; a merchant's is one that it makes. Raises NotFound."""
    found = await session.get(Payment, (cycle.id, number))
    if found is None or party not in (None, found.payer_id):
        raise NotFound(what="payment", path=("payment",))
    return {"cycle": str(cycle.id), "number": number}, found.amount
