"""That a merchant leaves, and the dates that follow."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id


class ExitStatus(StrEnum):
    """ANNOUNCED until its agreements end, RUNNING_OFF while its points are still spent at partners, SETTLING until
    nothing is open any more and claims are over, then GONE; WITHDRAWN if it stays after all."""

    ANNOUNCED = "ANNOUNCED"
    RUNNING_OFF = "RUNNING_OFF"
    SETTLING = "SETTLING"
    GONE = "GONE"
    WITHDRAWN = "WITHDRAWN"


class MerchantExit(Base):
    """A merchant gave notice: its agreements end at `ends_at`, points are spent at partners until `runs_off_to`, which
    falls into the cycle `last_cycle`; claims are raised until `claims_until`."""

    __tablename__ = "merchant_exit"
    __table_args__ = (
        CheckConstraint(
            "ends_at >= announced_at AND runs_off_to >= ends_at AND claims_until >= runs_off_to", name="dates"
        ),
        Index("uq_merchant_exit", "merchant_id", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_id: Mapped[uuid.UUID]
    announced_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    runs_off_to: Mapped[datetime]
    last_cycle: Mapped[int] = mapped_column(Integer)
    claims_until: Mapped[datetime]
    who: Mapped[uuid.UUID]
    why: Mapped[str]
    withdrawn_at: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
