"""Objections: lines of a statement that wait for a decision, outside of the net."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, SmallInteger, func
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

    `amount` is the line's, in millionths, signed as in a pair net: positive is what `second_id` would owe `first_id`.
    `expected` is what the merchant holds right: a price in 10^-8, or an amount in millionths. `other_operation_id` and
    `other_seq` name the line of which this one is a duplicate.
    """

    __tablename__ = "objection"
    __table_args__ = (
        Index("uq_objection_line", "operation_id", "seq", unique=True),
        Index("ix_objection_pair", "cycle_id", "first_id", "second_id"),
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
