"""The tier that members have, as rows that are only added: each is in force until the next one begins."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class TierReason(StrEnum):
    """Why a tier began.

    REACHED: the credits rose. ENDED: the one before had come to its end, and this is what the credits gave then.
    RETURNED: an order came back. BALANCE: credits had gone that the tier depends on.
    """

    REACHED = "REACHED"
    ENDED = "ENDED"
    RETURNED = "RETURNED"
    BALANCE = "BALANCE"


class MemberTier(Base):
    """From `valid_from` on the member has this level (null: none) in the merchant's programme.

    At `until` it ends, and what is then due is decided; null is while the credits suffice. `credits` is what they came
    to, `threshold` what the level asked for, `operation_id` what caused it. `seq` counts from 0.
    """

    __tablename__ = "member_tier"
    __table_args__ = (
        CheckConstraint("(level IS NULL) = (threshold IS NULL)", name="threshold"),
        CheckConstraint("level IS NOT NULL OR until IS NULL", name="until"),
        Index("ix_member_tier_until", "until", "holder_id", postgresql_where=text("until IS NOT NULL")),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    level: Mapped[str | None]
    threshold: Mapped[int | None]
    valid_from: Mapped[datetime]
    until: Mapped[datetime | None]
    reason: Mapped[str]
    operation_id: Mapped[uuid.UUID | None]
    credits: Mapped[int]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
