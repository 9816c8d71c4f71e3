"""What waits for a second person, and what became of it."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger, new_id


class ApprovalStatus(StrEnum):
    """WAITING until somebody else says yes (APPROVED, and done) or no, or who asked takes it back."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


class Approval(Base):
    """An act that one person asked for: what it is to do (`args`), why, for how much (millionths; null: no amount).

    `merchant_id` is whose staff may approve it; null: the operator's. `outcome` is what the act answered when it was
    done.
    """

    __tablename__ = "approval"
    __table_args__ = (
        Index("ix_approval_waiting", "id", postgresql_where=text("status = 'WAITING'")),
        CheckConstraint("decided_by <> asked_by OR status = 'WITHDRAWN'", name="four_eyes"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    act: Mapped[str]
    args: Mapped[dict[str, Any]]
    amount: Mapped[int | None] = mapped_column(WideInteger)
    merchant_id: Mapped[uuid.UUID | None]
    asked_by: Mapped[uuid.UUID]
    why: Mapped[str]
    asked_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(server_default=text("'WAITING'"))
    decided_by: Mapped[uuid.UUID | None]
    decided_why: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
