"""Attempts, by what is limited: a keyed hash of it, never itself."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class AttemptCount(Base):
    """How often it was tried in the window that lasts until `until`."""

    __tablename__ = "attempt_count"
    __table_args__ = (Index("ix_attempt_count_until", "until"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    count: Mapped[int]
