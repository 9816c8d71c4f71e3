"""Re-ratings, and what each put right of every line."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id

RERATE_LOCK = (0x7E55, 9)
"""Advisory lock: what a line was put right to is read and written by one at a time."""


class Rerate(Base):
    """That lines of an agreement of the days from `first_day` to before `before_day` were booked at a wrong price.

    Right are the terms of its version `version`, or else `prices`: by what is priced and the currency, as
    "SPEND:GRO", in 10^-8. It runs until `finished_at`, and runs again when it is asked to: `done` lines were looked at
    so far, `cycle_number` and `after_id` (an operation) are where it goes on.
    """

    __tablename__ = "rerate"
    __table_args__ = (Index("ix_rerate_agreement", "agreement_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agreement_id: Mapped[uuid.UUID]
    first_day: Mapped[date] = mapped_column(Date)
    before_day: Mapped[date] = mapped_column(Date)
    version: Mapped[int | None]
    prices: Mapped[dict[str, Any] | None]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    cycle_number: Mapped[int | None]
    after_id: Mapped[uuid.UUID | None]


class RerateLine(Base):
    """What a re-rating made of a line: of `amount_before` (millionths, at `price_before`) `amount_after`.

    `reversing_id` and `new_id` are the corrections that did it, none for an amount of zero. Of a line that was re-rated
    more than once, the latest counts.
    """

    __tablename__ = "rerate_line"
    __table_args__ = (Index("ix_rerate_line_rerate", "rerate_id", "operation_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    rerate_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    price_before: Mapped[int | None]
    amount_before: Mapped[int]
    price_after: Mapped[int | None]
    amount_after: Mapped[int]
    reversing_id: Mapped[uuid.UUID | None]
    new_id: Mapped[uuid.UUID | None]
