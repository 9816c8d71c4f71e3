"""What a line between merchants that comes from no member's event is for; the line itself is an obligation."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class Cause(StrEnum):
    """Why a line was booked; `Correction.cause_id` names what it follows from."""

    CLAIM = "CLAIM"
    OBJECTION = "OBJECTION"
    BREAK = "BREAK"
    RERATE = "RERATE"
    ADJUSTMENT = "ADJUSTMENT"
    WRITE_OFF = "WRITE_OFF"
    WAIVER = "WAIVER"
    INTEREST = "INTEREST"
    INVOICE = "INVOICE"
    DEFAULT = "DEFAULT"


class Correction(Base):
    """Why an operation of kind CORRECTION was booked: its cause, by whose act, who approved it; the line it corrects.

    It lies, with its obligation, under the alliance itself as a holder.
    """

    __tablename__ = "correction"
    __table_args__ = (
        Index("ix_correction_cause", "cause", "cause_id"),
        Index(
            "ix_correction_corrects",
            "corrects_operation_id",
            "corrects_seq",
            postgresql_where=text("corrects_operation_id IS NOT NULL"),
        ),
    )

    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cause: Mapped[str]
    cause_id: Mapped[uuid.UUID | None]
    corrects_holder_id: Mapped[uuid.UUID | None]
    corrects_operation_id: Mapped[uuid.UUID | None]
    corrects_seq: Mapped[int | None] = mapped_column(SmallInteger)
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
