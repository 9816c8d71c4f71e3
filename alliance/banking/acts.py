"""What people do about receipts and payments, each with a reason, and above a limit with a second person (A16).

Arguments are JSON, as they are kept with what waits for approval; each act checks again what it finds. A merchant acts
for its own account and its own payments, the operator for all and for the account that all pay into.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About
from alliance.banking import releasing
from alliance.banking.accounts import banking_of
from alliance.banking.applying import Parts, Work, apply, left, note, restate, undo
from alliance.banking.errors import NotMatching
from alliance.banking.importing import IMPORT_LOCK
from alliance.banking.receipts import Receipt, ReceiptMatch, ReceiptStatus, StepKind
from alliance.banking.rules import How
from alliance.runtime import Runtime
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from domain.errors import NotFound

MATCH, UNMATCH, SPLIT, REFUND = "MATCH_RECEIPT", "UNMATCH_RECEIPT", "SPLIT_RECEIPT", "REFUND_CASH"
RELEASE, HOLD, LIFT = "RELEASE_PAYMENTS", "HOLD_PAYMENT", "RELEASE_HELD_PAYMENT"

MOST_PARTS = 100

Args = dict[str, Any]


async def receipt_of(session: AsyncSession, id_: uuid.UUID, about: About) -> Receipt:
    """A receipt, locked against a second act. Raises NotFound, also for another's."""
    query = select(Receipt).where(Receipt.id == id_).with_for_update()
    found = await session.scalar(query, execution_options={"populate_existing": True})
    if found is None or about.merchant_id not in (None, found.owner_id):
        raise NotFound(what="receipt", path=("receipt",))
    return found


async def match_receipt(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Apply a receipt, or cash that is left of it, to payments: `parts` of {cycle, number, amount (minor units)}."""
    work, receipt = await _work(session, args, about)
    await apply(work, receipt, parts_of(args), How.BY_HAND)
    return {"receipt": str(receipt.id)}


def parts_of(args: Args) -> Parts:
    """Which payments, and how much of each. Raises NotMatching."""
    if not 0 < len(args["parts"]) <= MOST_PARTS:
        raise NotMatching(reason=f"name 1 to {MOST_PARTS} payments", path=("payments",))
    return [((uuid.UUID(part["cycle"]), part["number"]), part["amount"]) for part in args["parts"]]


async def unmatch_receipt(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Let a receipt not have been applied; without `payments` ({cycle, number}) to none of them."""
    work, receipt = await _work(session, args, about)
    query = select(ReceiptMatch).where(ReceiptMatch.receipt_id == receipt.id, ReceiptMatch.undone_by.is_(None))
    matches: Sequence[ReceiptMatch] = (await session.scalars(query.order_by(ReceiptMatch.id))).all()
    if (asked := args.get("payments")) is not None:
        places = {(uuid.UUID(one["cycle"]), one["number"]) for one in asked}
        matches = [match for match in matches if (match.cycle_id, match.seq) in places]
    if not matches:
        raise NotMatching(reason="nothing of it is matched so", path=("receipt",))
    await undo(work, receipt, matches)
    return {"receipt": str(receipt.id)}


async def split_receipt(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Let parts of `amounts` (minor units) stand in a receipt's place; of what came in, nothing of it was applied."""
    work, receipt = await _work(session, args, about)
    amounts: list[int] = args["amounts"]
    if receipt.status not in (ReceiptStatus.OPEN, ReceiptStatus.PROPOSED) or receipt.reversal:
        raise NotMatching(reason=f"the receipt is {receipt.status}", path=("receipt",))
    if not 2 <= len(amounts) <= MOST_PARTS or min(amounts) <= 0 or sum(amounts) != abs(receipt.amount):
        raise NotMatching(reason="the parts are not the whole", path=("amounts",))
    await note(work, receipt, StepKind.SPLIT, abs(receipt.amount), How.BY_HAND)
    sign = 1 if receipt.amount > 0 else -1
    columns = [column.key for column in Receipt.__table__.columns if column.key not in ("id", "booked_at")]
    parts = []
    for number, amount in enumerate(amounts, 1):
        part = Receipt(**{name: getattr(receipt, name) for name in columns})
        part.number, part.amount, part.split_of = f"{receipt.number}#{number}", sign * amount, receipt.id
        part.status, part.proposal = ReceiptStatus.OPEN.value, None
        parts.append(part)
    session.add_all(parts)
    receipt.status, receipt.proposal = ReceiptStatus.SPLIT.value, None
    await session.flush()
    return {"receipt": str(receipt.id), "parts": [str(part.id) for part in parts]}


async def refund_cash(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    """Give back `amount` of what is left of a receipt: out of the account that all pay into, it leaves the bank."""
    work, receipt = await _work(session, args, about)
    rest, amount = await left(session, receipt), args["amount"]
    if receipt.amount < 0 or receipt.reversal or not 0 < amount <= rest:
        raise NotMatching(reason="there is not so much left of the receipt", path=("amount",))
    step = await note(work, receipt, StepKind.REFUNDED, amount, How.BY_HAND)
    receipt.refunded += amount
    if receipt.held:
        operator = work.banking.alliance_id
        entries = [(MoneyAccount.UNAPPLIED, receipt.payer_id or operator, amount)]
        entries.append((MoneyAccount.BANK, operator, -amount))
        told: dict[str, Any] = {"who": about.who, "why": about.why, "as_of": about.as_of}
        told |= {"approved_by": about.approved_by, "cause_id": receipt.id}
        await post(session, kind="CASH_REFUNDED", entries=entries, **told)
    await session.flush()
    await restate(session, receipt)
    return {"receipt": str(receipt.id), "step": str(step.id)}


async def _work(session: AsyncSession, args: Args, about: About) -> tuple[Work, Receipt]:
    await session.execute(select(func.pg_advisory_xact_lock(*IMPORT_LOCK)))
    receipt = await receipt_of(session, uuid.UUID(args["receipt"]), about)
    return Work(session, await banking_of(session), about), receipt


ACTS[MATCH] = match_receipt
ACTS[UNMATCH] = unmatch_receipt
ACTS[SPLIT] = split_receipt
ACTS[REFUND] = refund_cash
ACTS[RELEASE] = releasing.release_payments
ACTS[HOLD] = releasing.hold_payment
ACTS[LIFT] = releasing.lift_hold
