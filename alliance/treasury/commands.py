"""Moving money that lies with the alliance, in the caller's transaction."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.settlement.model import CycleStatus, SettlementCycle
from alliance.treasury.errors import NotEnoughMoney
from alliance.treasury.model import MoneyAccount, MoneyEntry, MoneyTransaction
from domain.base import new_id
from domain.money import from_minor
from domain.programs.model import AllianceRow

Entry = tuple[MoneyAccount, uuid.UUID, int]
"""Account, whose it is, and by how many minor units it moves: above zero is a debit."""

OWED_TO_PARTY = frozenset((MoneyAccount.COLLATERAL, MoneyAccount.FUND, MoneyAccount.RESERVE, MoneyAccount.UNAPPLIED))
"""Accounts whose balance is at most zero."""

# Rows are locked in the order of their keys, so that two who move the same money at once wait and do not deadlock.
_OPEN = text("""
    INSERT INTO money_balance (account, party_id, balance)
    SELECT account, party_id, 0
    FROM unnest(CAST(:accounts AS text[]), CAST(:parties AS uuid[])) AS a (account, party_id)
    ORDER BY 1, 2 ON CONFLICT DO NOTHING
""")
_READ = text("""
    SELECT b.account, b.party_id, b.balance FROM money_balance b
    JOIN unnest(CAST(:accounts AS text[]), CAST(:parties AS uuid[])) AS a (account, party_id) USING (account, party_id)
    ORDER BY 1, 2 FOR UPDATE OF b
""")
_MOVE = text("""
    UPDATE money_balance b SET balance = b.balance + a.amount
    FROM unnest(CAST(:accounts AS text[]), CAST(:parties AS uuid[]), CAST(:amounts AS bigint[]))
        AS a (account, party_id, amount)
    WHERE b.account = a.account AND b.party_id = a.party_id
""")


async def post(
    session: AsyncSession,
    *,
    kind: str,
    entries: Sequence[Entry],
    who: uuid.UUID,
    why: str,
    as_of: datetime,
    cause_id: uuid.UUID | None = None,
    approved_by: uuid.UUID | None = None,
) -> uuid.UUID:
    """Book entries, which sum to zero; the id of the transaction. Raises NotEnoughMoney; ValueError for entries that
    do not."""
    moved: Counter[tuple[MoneyAccount, uuid.UUID]] = Counter()
    for account, party_id, amount in entries:
        moved[account, party_id] += amount
    if sum(moved.values()):
        raise ValueError("entries do not sum to zero")
    await _move(session, moved)
    cycle = select(SettlementCycle.id).where(
        SettlementCycle.status == CycleStatus.OPEN, SettlementCycle.closes_at.is_(None)
    )
    id_ = new_id()
    row = {"id": id_, "kind": kind, "cause_id": cause_id, "cycle_id": await session.scalar(cycle)}
    row |= {"who": who, "approved_by": approved_by, "why": why, "as_of": as_of}
    await session.execute(insert(MoneyTransaction), [row])
    await session.execute(
        insert(MoneyEntry),
        [
            {"transaction_id": id_, "seq": seq, "account": account.value, "party_id": party_id, "amount": amount}
            for seq, (account, party_id, amount) in enumerate(entries)
            if amount
        ],
    )
    return id_


async def _move(session: AsyncSession, moved: Counter[tuple[MoneyAccount, uuid.UUID]]) -> None:
    """Let balances follow, under their locks. Raises NotEnoughMoney."""
    keys = sorted((account.value, party_id) for account, party_id in moved)
    named = {"accounts": [account for account, _ in keys], "parties": [party_id for _, party_id in keys]}
    await session.execute(_OPEN, named)
    held = {(account, party_id): balance for account, party_id, balance in await session.execute(_READ, named)}
    for account, party_id in keys:
        more = moved[MoneyAccount(account), party_id]
        if MoneyAccount(account) in OWED_TO_PARTY and held[account, party_id] + more > 0:
            currency = (await session.scalars(select(AllianceRow.settlement_currency))).one()
            has, asked = from_minor(-held[account, party_id], currency), from_minor(more, currency)
            raise NotEnoughMoney(account=account, available=has, requested=asked, path=("amount",))
    await session.execute(_MOVE, named | {"amounts": [moved[MoneyAccount(a), party_id] for a, party_id in keys]})
