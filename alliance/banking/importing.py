"""Taking in banks' statements: each movement once, matched with payments where that is sure, else proposed."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.banking import bank_csv, camt
from alliance.banking.accounts import Banking, banking_of
from alliance.banking.applying import Work, apply
from alliance.banking.errors import StatementRefused
from alliance.banking.model import BankStatement, Entry, plain_number
from alliance.banking.orders import last_day
from alliance.banking.receipts import Receipt, ReceiptMatch, ReceiptStatus, StatementImport
from alliance.banking.rules import SURE, Awaited, Came, Due, Proposal
from alliance.settlement.model import CycleStatus, Payment, PaymentStatus, SettlementCycle
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from domain.errors import Refusal
from domain.privacy.vault import digest, seal_many

IMPORT_LOCK = (0x7E55, 0x53)
"""Advisory lock: one statement at a time, so that no payment is matched twice."""

MARK = "bank account"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. `known` entries were taken before; `again`: the whole file was."""

    id: uuid.UUID
    again: bool
    entries: int
    known: int
    applied: int
    proposed: int
    open: int


async def import_statement(session: AsyncSession, content: bytes, owner_id: uuid.UUID, about: About) -> Imported:
    """Take a statement of an account of its owner's in: a merchant's own, or that which all pay into.

    Raises StatementRefused.
    """
    banking = await banking_of(session)
    await session.execute(select(func.pg_advisory_xact_lock(*IMPORT_LOCK)))
    digest_ = sha256(content).hexdigest()
    same = StatementImport.owner_id == owner_id, StatementImport.sha256 == digest_
    before = await session.scalar(select(StatementImport).where(*same))
    if before is not None:
        return Imported(before.id, True, before.entries, before.entries, 0, 0, 0)
    statements = _read(content, banking)
    _require_own(statements, banking, owner_id)
    taken = StatementImport(owner_id=owner_id, sha256=digest_, entries=sum(len(one.entries) for one in statements))
    taken.who, taken.as_of = about.who, about.as_of
    session.add(taken)
    await session.flush()
    receipts: list[tuple[Receipt, Entry]] = []
    for statement in statements:
        receipts += await _take(session, banking, taken, statement)
    await _book(session, banking, [receipt for receipt, _ in receipts], about)
    await _match(Work(session, banking, about), owner_id, receipts)
    count = {status: sum(receipt.status == status for receipt, _ in receipts) for status in ReceiptStatus}
    return Imported(
        taken.id,
        False,
        taken.entries,
        taken.entries - len(receipts),
        count[ReceiptStatus.APPLIED] + count[ReceiptStatus.PARTLY],
        count[ReceiptStatus.PROPOSED],
        count[ReceiptStatus.OPEN],
    )


def _read(content: bytes, banking: Banking) -> list[BankStatement]:
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return camt.statements(content, banking.currency)
    return [bank_csv.statement(content, banking.currency, banking.csv)]


def _require_own(statements: Sequence[BankStatement], banking: Banking, owner_id: uuid.UUID) -> None:
    """Raises StatementRefused for a statement of another account than its owner's."""
    own = banking.accounts.get(owner_id)
    for statement in statements:
        if statement.account is not None and (own is None or plain_number(statement.account) != own.number):
            raise StatementRefused(reason="it is of another account than the alliance file names")


async def _take(
    session: AsyncSession, banking: Banking, taken: StatementImport, statement: BankStatement
) -> list[tuple[Receipt, Entry]]:
    """The receipts of entries that were not taken before. Of a merchant's own account, only what came in."""
    held = taken.owner_id == banking.alliance_id and not banking.is_direct
    entries = [entry for entry in statement.entries if entry.amount > 0 or (held and entry.amount)]
    if not entries:
        return []
    owner = taken.owner_id
    parties = {account.number: party for party, account in banking.accounts.items()}
    sealed = iter(
        await seal_many(session, [(owner, field, said) for entry in entries for field, said in _said(entry).items()])
    )
    rows: list[dict[str, Any]] = []
    for entry in entries:
        number = plain_number(entry.account)
        rows.append(
            {field: next(sealed) for field in _SEALED}
            | {
                "owner_id": owner,
                "import_id": taken.id,
                "statement_id": statement.id,
                "number": entry.number,
                "amount": entry.amount,
                "value_date": entry.value_date,
                "reference": entry.reference,
                "mark": digest(session, MARK, number) if number else None,
                "payer_id": parties.get(number) if number else None,
                "reversal": entry.reversal,
                "held": held,
                "status": ReceiptStatus.OPEN.value,
                "as_of": taken.as_of,
            }
        )
    new = insert(Receipt).on_conflict_do_nothing().returning(Receipt)
    found = {receipt.number: receipt for receipt in await session.scalars(new, rows)}
    return [(found[entry.number], entry) for entry in entries if entry.number in found]


_SEALED = ("name", "account", "told")


def _said(entry: Entry) -> dict[str, str]:
    return {"name": entry.name, "account": entry.account, "told": entry.text}


async def _book(session: AsyncSession, banking: Banking, receipts: Sequence[Receipt], about: About) -> None:
    """What came into the account that all pay into is, until it is applied, cash of whoever paid it."""
    for receipt in receipts:
        if receipt.held and receipt.amount > 0 and not receipt.reversal:
            party = receipt.payer_id or banking.alliance_id
            entries = [(MoneyAccount.BANK, banking.alliance_id, receipt.amount)]
            entries.append((MoneyAccount.UNAPPLIED, party, -receipt.amount))
            told: dict[str, Any] = {"who": about.who, "why": about.why, "as_of": about.as_of, "cause_id": receipt.id}
            await post(session, kind="RECEIPT_IN", entries=entries, **told)


async def _match(work: Work, owner_id: uuid.UUID, receipts: Sequence[tuple[Receipt, Entry]]) -> None:
    """Apply what is sure, and keep what is proposed."""
    session = work.session
    for inward in (True, False):
        some = [(receipt, entry) for receipt, entry in receipts if (receipt.amount > 0) is inward]
        if not some:
            continue
        awaited = await _awaited(session, work.banking, owner_id, inward)
        for receipt, entry in some:
            if receipt.reversal:
                continue
            proposal = awaited.best(_came(work.banking, receipt, entry))
            if proposal is None:
                continue
            if proposal.score < SURE or not await _applied(work, receipt, proposal):
                _propose(receipt, proposal)
            else:
                awaited = await _after(work, owner_id, inward, awaited, proposal)
    await session.flush()


async def _applied(work: Work, receipt: Receipt, proposal: Proposal) -> bool:
    """Whether it could be applied: what is refused is left to a person."""
    try:
        async with work.session.begin_nested():
            await apply(work, receipt, proposal.parts, proposal.how)
    except Refusal:
        await work.session.refresh(receipt)
        return False
    return True


async def _after(work: Work, owner_id: uuid.UUID, inward: bool, awaited: Awaited, done: Proposal) -> Awaited:
    """What is awaited after that: where a payment was split, its rest too."""
    places = {place for place, _ in done.parts}
    cycles = {cycle_id for cycle_id, _ in places}
    rests = select(func.count()).where(
        Payment.cycle_id.in_(cycles),
        Payment.split_of.in_([seq for _, seq in places]),
        Payment.status == PaymentStatus.PLANNED,
    )
    if await work.session.scalar(rests):
        return await _awaited(work.session, work.banking, owner_id, inward)
    awaited.take(done)
    return awaited


def _propose(receipt: Receipt, proposal: Proposal) -> None:
    parts = [{"cycle": str(place[0]), "number": place[1], "amount": amount} for place, amount in proposal.parts]
    receipt.status = ReceiptStatus.PROPOSED.value
    receipt.proposal = {"parts": parts, "how": proposal.how.value, "score": proposal.score}


def _came(banking: Banking, receipt: Receipt, entry: Entry) -> Came:
    said = {name: value for name, value in asdict(entry).items() if name in ("reference", "text", "name", "value_date")}
    known = receipt.payer_id if receipt.payer_id in banking.codes else None
    return Came(amount=abs(entry.amount), payer_id=known, **said)


async def _awaited(session: AsyncSession, banking: Banking, owner_id: uuid.UUID, inward: bool) -> Awaited:
    """Payments that may show in this account: those not received yet, and those only recorded by hand."""
    matched = (
        select(ReceiptMatch.id)
        .join(Receipt, Receipt.id == ReceiptMatch.receipt_id)
        .where(
            ReceiptMatch.cycle_id == Payment.cycle_id,
            ReceiptMatch.seq == Payment.seq,
            ReceiptMatch.undone_by.is_(None),
            (Receipt.amount > 0) if inward else (Receipt.amount < 0),
        )
    )
    query = (
        select(Payment, SettlementCycle)
        .join(SettlementCycle, SettlementCycle.id == Payment.cycle_id)
        .where(
            or_(
                SettlementCycle.status == CycleStatus.SETTLING,
                (SettlementCycle.status == CycleStatus.SETTLED) & (Payment.status == PaymentStatus.PAID),
            ),
            Payment.status.in_((PaymentStatus.PLANNED, PaymentStatus.PAID)),
            ~matched.exists(),
        )
    )
    if banking.is_direct or owner_id != banking.alliance_id:  # a proposal is shown to whose account it is (A14)
        query = query.where(Payment.payee_id == owner_id)
    elif not inward:
        query = query.where(Payment.released_at.is_not(None))
    names = {party: account.name for party, account in banking.accounts.items()}
    return Awaited(
        banking.code,
        [
            Due(
                place=(payment.cycle_id, payment.seq),
                cycle=cycle.number,
                root=payment.split_of or payment.seq,
                payer_id=payment.payer_id if inward else payment.payee_id,
                amount=payment.amount,
                due=last_day(cycle.payments_due or cycle.opens_at, banking),
                payer_name=names.get(payment.payer_id if inward else payment.payee_id, ""),
                done=payment.status == PaymentStatus.PAID or (inward and payment.paid_in_on is not None),
            )
            for payment, cycle in await session.execute(query)
        ],
    )
