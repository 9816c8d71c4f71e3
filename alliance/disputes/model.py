"""Disputes: objections to lines of a statement, claims after it was settled, and what was said and done about them."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger, new_id


class ObjectionReason(StrEnum):
    """Reasons that a machine can check (A10)."""

    UNKNOWN_KEY = "UNKNOWN_KEY"
    DUPLICATE = "DUPLICATE"
    WRONG_PRICE = "WRONG_PRICE"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    ALREADY_REVERSED = "ALREADY_REVERSED"


class Objection(Base):
    """That a merchant objects to a line of its statement of a cycle. The line lies in suspense until it is decided.

    Then it opens the account of the pair in the cycle `released_in`. Its life is the `Dispute` of the same id.

    `amount` is the line's, in millionths, signed as in a pair net: positive is what `second_id` would owe `first_id`.
    `expected` is what the merchant holds right: a price in 10^-8, or an amount in millionths. `other_operation_id` and
    `other_seq` name the line of which this one is a duplicate.
    """

    __tablename__ = "objection"
    __table_args__ = (
        Index("uq_objection_line", "operation_id", "seq", unique=True),
        Index("ix_objection_pair", "cycle_id", "first_id", "second_id"),
        Index("ix_objection_released", "released_in", postgresql_where=text("released_in IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    cycle_id: Mapped[uuid.UUID]
    holder_id: Mapped[uuid.UUID]
    operation_id: Mapped[uuid.UUID]
    seq: Mapped[int] = mapped_column(SmallInteger)
    first_id: Mapped[uuid.UUID]
    second_id: Mapped[uuid.UUID]
    amount: Mapped[int] = mapped_column(WideInteger)
    reason: Mapped[str]
    expected: Mapped[int | None]
    other_operation_id: Mapped[uuid.UUID | None]
    other_seq: Mapped[int | None] = mapped_column(SmallInteger)
    merchant_id: Mapped[uuid.UUID]
    who: Mapped[uuid.UUID]
    raised_at: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    released_in: Mapped[uuid.UUID | None]


class Door(StrEnum):
    """How a dispute came in: against a statement before it is settled, or after."""

    OBJECTION = "OBJECTION"
    CLAIM = "CLAIM"


class ClaimCode(StrEnum):
    """Why a merchant claims; its text says more."""

    UNKNOWN_KEY = "UNKNOWN_KEY"
    DUPLICATE = "DUPLICATE"
    WRONG_PRICE = "WRONG_PRICE"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    MISSING_LINE = "MISSING_LINE"
    NOT_DELIVERED = "NOT_DELIVERED"
    LATE_BILL = "LATE_BILL"
    OTHER = "OTHER"


class Dispute(Base):
    """What one merchant wants of another: of a line, or without one. See `life.State` for what its status says.

    Amounts are millionths, above zero in the raiser's favour. `debtor_id` is who owes the line; without a line the
    other party. `due_at` (exclusive) is until when whoever it waits for may act. `secured` is what of an objection is
    beyond the tenth that may be in dispute, and stands against the raiser's collateral. `key` names it to its raiser.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("raiser_id <> against_id", name="parties"),
        CheckConstraint("(accepted IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("abs(coalesce(accepted, offered)) <= abs(claimed)", name="amounts"),
        Index(
            "uq_dispute_line",
            "operation_id",
            "seq",
            unique=True,
            postgresql_where=text("decided_at IS NULL AND operation_id IS NOT NULL"),
        ),
        Index("uq_dispute_key", "raiser_id", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
        Index("ix_dispute_due", "due_at", "id", postgresql_where=text("decided_at IS NULL")),
        Index("ix_dispute_raiser", "raiser_id", "id"),
        Index("ix_dispute_against", "against_id", "id"),
        Index("ix_dispute_line", "operation_id", "seq", postgresql_where=text("operation_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    door: Mapped[str]
    status: Mapped[str]
    round: Mapped[int] = mapped_column(SmallInteger)
    raiser_id: Mapped[uuid.UUID]
    against_id: Mapped[uuid.UUID]
    debtor_id: Mapped[uuid.UUID]
    cycle_id: Mapped[uuid.UUID | None]
    holder_id: Mapped[uuid.UUID | None]
    operation_id: Mapped[uuid.UUID | None]
    seq: Mapped[int | None] = mapped_column(SmallInteger)
    code: Mapped[str]
    claimed: Mapped[int]
    quantity: Mapped[int | None]
    offered: Mapped[int] = mapped_column(server_default=text("0"))
    accepted: Mapped[int | None]
    secured: Mapped[int] = mapped_column(server_default=text("0"))
    due_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    key: Mapped[str | None]
    break_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class DisputeStep(Base):
    """What was said or done about a dispute: by which side, by whose act, as of when. `amount` is what it named."""

    __tablename__ = "dispute_step"

    dispute_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dispute.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    side: Mapped[str]
    party_id: Mapped[uuid.UUID]
    who: Mapped[uuid.UUID]
    move: Mapped[str]
    status: Mapped[str]
    amount: Mapped[int | None]
    text: Mapped[str]
    as_of: Mapped[datetime]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Attachment(Base):
    """A small file that a party sent for a step of its disputes, and its SHA-256."""

    __tablename__ = "attachment"
    __table_args__ = (Index("ix_attachment_party", "party_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    party_id: Mapped[uuid.UUID]
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    who: Mapped[uuid.UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StepAttachment(Base):
    """That a step of a dispute came with a file."""

    __tablename__ = "step_attachment"
    __table_args__ = (Index("ix_step_attachment_file", "attachment_id"),)

    dispute_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dispute.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    attachment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("attachment.id"), primary_key=True)
