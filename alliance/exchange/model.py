"""Quotes: an offer to exchange points at a rate and prices that hold until it expires, used once (A4)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class Quote(Base):
    """`points_out` of one currency for `points_in` of another, at `rate`, a decimal; `fee` of them are not exchanged.

    Used, it makes `out_issuer_id` owe `in_issuer_id` the rest x `clearing_value` (money a point, in 10^-8). Never
    edited: QuoteUse says by which operation it was used. One that `reserves` has a QuoteReservation.
    """

    __tablename__ = "quote"
    __table_args__ = (CheckConstraint("points_out > fee AND points_in > 0 AND fee >= 0", name="points"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    client_id: Mapped[uuid.UUID | None]
    out_currency: Mapped[str]
    out_issuer_id: Mapped[uuid.UUID]
    in_currency: Mapped[str]
    in_issuer_id: Mapped[uuid.UUID]
    points_out: Mapped[int]
    points_in: Mapped[int]
    fee: Mapped[int] = mapped_column(server_default=text("0"))
    rate: Mapped[str]
    clearing_value: Mapped[int]
    agreement_id: Mapped[uuid.UUID]
    agreement_version: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    reserves: Mapped[bool] = mapped_column(server_default=text("false"))

    @property
    def exchanged(self) -> int:
        """The points out that the rate is applied to."""
        return self.points_out - self.fee


class QuoteReservation(Base):
    """What a quote has reserved, by the id of the merchant who would come to owe it: until it is used, or this is gone.

    It is deleted once the quote has expired.
    """

    __tablename__ = "quote_reservation"
    __table_args__ = (Index("ix_quote_reservation_expires", "expires_at"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    quote_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
    reserves: Mapped[dict[str, Any]]


class QuoteUse(Base):
    """That a quote was used. The day and points stand here too, for the caps of a day."""

    __tablename__ = "quote_use"
    __table_args__ = (
        Index("ix_quote_use_day", "holder_id", "out_currency", "in_currency", "used_at"),
        Index("ix_quote_use_all", "out_currency", "in_currency", "used_at", postgresql_include=["points_out"]),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    quote_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID]
    out_currency: Mapped[str]
    in_currency: Mapped[str]
    points_out: Mapped[int]
    used_at: Mapped[datetime]
