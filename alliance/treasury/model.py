"""A small double-entry book of money that lies with the alliance, in minor units of the settlement currency."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class MoneyAccount(StrEnum):
    """Debits are above zero. BANK is what lies at the alliance's bank, CHARGES what was lost on the way.

    COLLATERAL, FUND (the guarantee fund), RESERVE (for honouring a defaulter's points) and UNAPPLIED (cash that
    belongs to no payment yet) are owed to the party whose account it is: below zero. CLEARING is what is on its way
    through a cycle: of a settled one it is zero. LOSS is what a defaulter owes those who bore it.
    OPERATOR is what the operator itself was paid and left there.
    """

    BANK = "BANK"
    COLLATERAL = "COLLATERAL"
    FUND = "FUND"
    RESERVE = "RESERVE"
    UNAPPLIED = "UNAPPLIED"
    CLEARING = "CLEARING"
    LOSS = "LOSS"
    CHARGES = "CHARGES"
    OPERATOR = "OPERATOR"


class MoneyTransaction(Base):
    """That money moved: what it was, by whose act, why, who approved it; while which cycle was open (A16)."""

    __tablename__ = "money_transaction"
    __table_args__ = (Index("ix_money_transaction_cause", "kind", "cause_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    cause_id: Mapped[uuid.UUID | None]
    cycle_id: Mapped[uuid.UUID | None]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class MoneyEntry(Base):
    """One side of a transaction; its entries sum to zero."""

    __tablename__ = "money_entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_money_entry_account", "party_id", "account", "transaction_id"),
    )

    transaction_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    account: Mapped[str]
    party_id: Mapped[uuid.UUID]
    amount: Mapped[int]


class MoneyBalance(Base):
    """The sum of an account's entries, kept beside them. What is owed to a party never turns into what it owes."""

    __tablename__ = "money_balance"
    __table_args__ = (
        CheckConstraint("account NOT IN ('COLLATERAL', 'FUND', 'RESERVE', 'UNAPPLIED') OR balance <= 0", name="floor"),
    )

    account: Mapped[str] = mapped_column(primary_key=True)
    party_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    balance: Mapped[int]
