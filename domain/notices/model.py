"""Notices: what a member is to be told before points are lost or sold, and what became of telling them.

Both tables only grow. Whoever sends notices reports here; how they are sent is not the ledger's concern.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class NoticeKind(StrEnum):
    """Of what a member is told: points that end, or that will be sold for them (R13)."""

    EXPIRY = "EXPIRY"
    EXIT = "EXIT"


class Outcome(StrEnum):
    """What became of sending a notice. NO_CHANNEL: there is no way left to reach the member."""

    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    NO_CHANNEL = "NO_CHANNEL"


class Notice(Base):
    """Points of a member that are lost at `due_at`: they are told from `opens_at` to before `closes_at` (null: no end).

    `points` is how many there were when the notice came due.
    """

    __tablename__ = "notice"
    __table_args__ = (
        Index("uq_notice_of", "holder_id", "kind", "currency", "due_at", unique=True),
        CheckConstraint("points > 0", name="points"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    currency: Mapped[str]
    issuer_id: Mapped[uuid.UUID]
    points: Mapped[int]
    due_at: Mapped[datetime]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class NoticeReport(Base):
    """What became of a notice, as its sender reports: `channel` and `proof` are theirs (a receipt's number, a hash).

    `happened_at` is when it was delivered, or given up.
    """

    __tablename__ = "notice_report"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    notice_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    channel: Mapped[str | None]
    happened_at: Mapped[datetime]
    proof: Mapped[str | None]
    client_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
