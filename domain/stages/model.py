"""The stage of a member at a merchant, and in the alliance: derived each night, with the date at which it began."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base

ALLIANCE = uuid.UUID(int=0)
"""The place of the stage that counts purchases anywhere."""


class LifeStage(StrEnum):
    """NEW for some days after joining; then ACTIVE, DORMANT or LOST by how long ago the last purchase was."""

    NEW = "NEW"
    ACTIVE = "ACTIVE"
    DORMANT = "DORMANT"
    LOST = "LOST"


class MemberStage(Base):
    """Where a member stands at `merchant_id` (ALLIANCE: anywhere), `since` when, and when they bought last."""

    __tablename__ = "member_stage"
    __table_args__ = (
        CheckConstraint("stage IN ('NEW', 'ACTIVE', 'DORMANT', 'LOST')", name="stage"),
        Index("ix_member_stage_place", "merchant_id", "stage", "holder_id"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    stage: Mapped[str]
    since: Mapped[datetime]
    bought_at: Mapped[datetime | None]
