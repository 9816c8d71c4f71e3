"""What banks reported as booked, what it was matched with, files that were released, payments that are held back.

Amounts are minor units of the settlement currency. Who paid, and from which account, is sealed under the owner's key.
"""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class ReceiptStatus(StrEnum):
    """OPEN: nothing is applied of it; PROPOSED: nor, but to what it belongs seems clear, and a person says so; PARTLY
    and APPLIED: some of it, and all; REFUNDED: what was left was given back; SPLIT: its parts stand in its place."""

    OPEN = "OPEN"
    PROPOSED = "PROPOSED"
    PARTLY = "PARTLY"
    APPLIED = "APPLIED"
    REFUNDED = "REFUNDED"
    SPLIT = "SPLIT"


class StepKind(StrEnum):
    """What was done about a receipt."""

    MATCHED = "MATCHED"
    UNMATCHED = "UNMATCHED"
    SPLIT = "SPLIT"
    REFUNDED = "REFUNDED"


class StatementImport(Base):
    """A file of a bank that was taken, by its content: the same file is taken once."""

    __tablename__ = "statement_import"
    __table_args__ = (Index("uq_statement_import_content", "owner_id", "sha256", unique=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID]
    sha256: Mapped[str]
    entries: Mapped[int] = mapped_column(Integer)
    who: Mapped[uuid.UUID]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Receipt(Base):
    """A movement of its owner's account: above zero it came in. The bank's number is unique in its statement.

    `held`: it lies in the account that all pay into, and is in the money accounts. `payer_id` is whose account it came
    from (or went to), where that is one of ours. `mark` is the keyed hash of that account's number.
    """

    __tablename__ = "bank_receipt"
    __table_args__ = (
        Index("uq_bank_receipt_number", "owner_id", "statement_id", "number", unique=True),
        Index("ix_bank_receipt_status", "owner_id", "status", "id"),
        Index("ix_bank_receipt_import", "import_id"),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("refunded BETWEEN 0 AND greatest(amount, 0)", name="refunded"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID]
    import_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("statement_import.id"))
    statement_id: Mapped[str]
    number: Mapped[str]
    amount: Mapped[int]
    value_date: Mapped[date]
    reference: Mapped[str]
    told: Mapped[bytes | None]
    name: Mapped[bytes | None]
    account: Mapped[bytes | None]
    mark: Mapped[bytes | None]
    payer_id: Mapped[uuid.UUID | None]
    reversal: Mapped[bool]
    held: Mapped[bool]
    status: Mapped[str]
    proposal: Mapped[dict[str, Any] | None]
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    split_of: Mapped[uuid.UUID | None]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ReceiptStep(Base):
    """That something was done about a receipt: by whose act, why, who approved it; `how` says why it was thought so."""

    __tablename__ = "receipt_step"
    __table_args__ = (Index("ix_receipt_step_receipt", "receipt_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    receipt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_receipt.id"))
    kind: Mapped[str]
    amount: Mapped[int]
    how: Mapped[str]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ReceiptMatch(Base):
    """That so much of a receipt is a payment (or a part of one), until it is undone. `confirms`: it was PAID before."""

    __tablename__ = "receipt_match"
    __table_args__ = (
        Index("ix_receipt_match_receipt", "receipt_id"),
        Index("ix_receipt_match_payment", "cycle_id", "seq"),
        CheckConstraint("amount > 0", name="amount"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    receipt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bank_receipt.id"))
    cycle_id: Mapped[uuid.UUID]
    seq: Mapped[int] = mapped_column(Integer)
    amount: Mapped[int]
    confirms: Mapped[bool]
    step_id: Mapped[uuid.UUID]
    undone_by: Mapped[uuid.UUID | None]


class ReleasedFile(Base):
    """A file of payments that was released, as it was: its content is sealed under the key of who pays by it."""

    __tablename__ = "released_file"
    __table_args__ = (Index("uq_released_file_message", "cycle_id", "message_id", unique=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    party_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    message_id: Mapped[str]
    sha256: Mapped[str]
    numbers: Mapped[list[Any]]
    total: Mapped[int]
    content: Mapped[bytes]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class PaymentHold(Base):
    """That a payment is not to be released, until the hold is lifted; both with who, why, and who approved it."""

    __tablename__ = "payment_hold"
    __table_args__ = (
        Index("uq_payment_hold_open", "cycle_id", "seq", unique=True, postgresql_where=text("lifted_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    seq: Mapped[int] = mapped_column(Integer)
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    held_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[uuid.UUID | None]
    lifted_approved_by: Mapped[uuid.UUID | None]
    lifted_why: Mapped[str | None]
