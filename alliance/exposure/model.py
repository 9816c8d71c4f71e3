"""What a merchant with a cap has used of it, kept beside the obligations; and when it came near."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Computed, Integer, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger

LEVELS = (100, 85, 70)
"""Percents of a cap at which an alert is raised, highest first."""

FREEZE_LOCK = (0x7E55, 7)
"""Advisory lock: held shared by what settles or aborts a cycle, so that nobody is frozen or restored meanwhile."""

_USED = "owed + reserved + greatest(withheld, 0)"
_LEVEL = " ".join(f"WHEN ({_USED}) * 100 >= cap::numeric * {level} THEN {level}" for level in LEVELS)


class Exposure(Base):
    """A merchant with a cap, in millionths of the settlement currency: it lies under the merchant as a holder.

    `owed` is what it owes less what it is owed, over all that is not settled; `reserved` is what it has still promised
    to owe; `withheld` is what it is owed by who is frozen and on lines that others object to, which gives no headroom.
    Together they are its position, `used`. `cap` is its credit limit and collateral; `reserve`, if there is
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


class FreezeKind(StrEnum):
    """What the operator did about a merchant."""

    FROZEN = "FROZEN"
    RESTORED = "RESTORED"


class FreezeStep(Base):
    """That a merchant was frozen or restored (A12, A16): by whose act, why, as of when, while which cycle was open."""

    __tablename__ = "freeze_step"

    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    who: Mapped[uuid.UUID]
    why: Mapped[str]
    as_of: Mapped[datetime]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    cycle_id: Mapped[uuid.UUID | None]
