"""Deadlines of cycles that were extended by hand."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class DeadlineKind(StrEnum):
    """Of a cycle: until when objections are heard, by when it is paid."""

    OBJECTIONS = "OBJECTIONS"
    PAYMENTS = "PAYMENTS"


class DeadlineExtension(Base):
    """That a deadline of a cycle was extended (A16): from when, until when, by whose act, who approved it, why; and
    which cycle was open then."""

    __tablename__ = "deadline_extension"
    __table_args__ = (CheckConstraint("until > before", name="later"),)

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    before: Mapped[datetime]
    until: Mapped[datetime]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    open_cycle_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
