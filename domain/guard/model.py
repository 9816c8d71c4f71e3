"""What guards a member's points, and how it came to."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class GuardPart(StrEnum):
    """What can be lifted: the LOCK, the COOLING_OFF after a change, what DEVICES that are known by now may not."""

    LOCK = "LOCK"
    COOLING_OFF = "COOLING_OFF"
    DEVICES = "DEVICES"


class GuardStepKind(StrEnum):
    """LOCKED by the member or for them, UNLOCKED by themselves; the others were lifted by the operator."""

    LOCKED = "LOCKED"
    UNLOCKED = "UNLOCKED"
    LOCK_LIFTED = "LOCK_LIFTED"
    COOLING_OFF_LIFTED = "COOLING_OFF_LIFTED"
    DEVICES_LIFTED = "DEVICES_LIFTED"


class MemberGuard(Base):
    """What bars a member's debits: a lock (`locked_until` null: until it is taken off), and when identifiers last
    changed, by type. There is a row only for members of whom there is something to say."""

    __tablename__ = "member_guard"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    locked_at: Mapped[datetime | None]
    locked_until: Mapped[datetime | None]
    changed: Mapped[dict[str, Any]]


class GuardStep(Base):
    """That a guard was set or taken off, by whom and why. `reason` is free text, the operator's."""

    __tablename__ = "guard_step"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('LOCKED', 'UNLOCKED', 'LOCK_LIFTED', 'COOLING_OFF_LIFTED', 'DEVICES_LIFTED')", name="kind"
        ),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    client_id: Mapped[uuid.UUID]
    reason: Mapped[str | None]
    until: Mapped[datetime | None]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class MemberDevice(Base):
    """A device, or an installed app, that a member was signed in from; `digest` stands for what it is called.

    It is new for some days from `first_seen_at`, unless the operator `trusted_at` some time.
    """

    __tablename__ = "member_device"
    __table_args__ = (Index("uq_member_device_digest", "holder_id", "digest", unique=True),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    merchant_id: Mapped[uuid.UUID]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    trusted_at: Mapped[datetime | None]


class DeviceSpend(Base):
    """That an operation (or hold) of a member, or of a pool of theirs, came from a device that was new (null: none was
    named), on the day of the issuer's zone that begins at `day`."""

    __tablename__ = "device_spend"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    device_id: Mapped[uuid.UUID | None]
    currency: Mapped[str]
    day: Mapped[datetime]
    points: Mapped[int]


class DeviceDay(Base):
    """How many points of a currency a member's new devices have spent in a day: the sum of `DeviceSpend`."""

    __tablename__ = "device_day"

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)
    points: Mapped[int]
