"""What a merchant with a cap has used of it, kept beside the obligations; and when it came near."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, Integer, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger

LEVELS = (100, 85, 70)
"""Percents of a cap at which an alert is raised, highest first."""

_USED = "owed + reserved + withheld"
_LEVEL = " ".join(f"WHEN ({_USED}) * 100 >= cap::numeric * {level} THEN {level}" for level in LEVELS)


class Exposure(Base):
    """A merchant with a cap, in millionths of the settlement currency: it lies under the merchant as a holder.

    `owed` is what it owes less what it is owed, over all that is not settled; `reserved` is what it has still promised
    to owe; `withheld` is what it is owed on lines that others object to, which gives no headroom. Together they are its
    position, `used`. `cap` is its credit limit and collateral; `reserve`, if there is
    one, how far past the cap its points may be spent. `level` is the highest of LEVELS that it has reached, or 0.
    """

    __tablename__ = "exposure"
    __table_args__ = (
        CheckConstraint("cap >= 0 AND reserve >= 0", name="cap"),
        CheckConstraint("reserved >= 0", name="reserved"),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cap: Mapped[int]
    reserve: Mapped[int | None]
    owed: Mapped[int] = mapped_column(WideInteger)
    reserved: Mapped[int] = mapped_column(WideInteger)
    withheld: Mapped[int] = mapped_column(WideInteger, server_default=text("0"))
    used: Mapped[int] = mapped_column(WideInteger, Computed(_USED, persisted=True))
    level: Mapped[int] = mapped_column(
        Integer, Computed(f"CASE WHEN {_USED} <= 0 THEN 0 {_LEVEL} ELSE 0 END", persisted=True)
    )


class ExposureAlert(Base):
    """That a merchant reached a level of its cap, and what it had used then; a level at most once in an hour."""

    __tablename__ = "exposure_alert"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    level: Mapped[int] = mapped_column(SmallInteger)
    used: Mapped[int] = mapped_column(WideInteger)
    cap: Mapped[int]
    raised_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
