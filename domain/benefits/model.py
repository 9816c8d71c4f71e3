"""Rights of members, what became of them, and bookings. How many uses are left is an account; these are its lots."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Computed, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class RightStatus(StrEnum):
    """Where a right stands: as long as anything is left of it, it is NOT_YET_VALID, VALID or EXPIRED by its dates.

    With nothing left it is USED if any of it was, else EXPIRED or CANCELLED.
    """

    NOT_YET_VALID = "NOT_YET_VALID"
    VALID = "VALID"
    USED = "USED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class BookingStatus(StrEnum):
    """A booking is OPEN until it is used, given up in time (CANCELLED), missed (NO_SHOW), or over (LAPSED)."""

    OPEN = "OPEN"
    USED = "USED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    LAPSED = "LAPSED"


class Right(Base):
    """That a member may use a merchant's benefit `quantity` times, from `valid_from` until `expires_at` (null: ever).

    Of them `remaining` are left, `booked` of these set aside; `cancelled` and `expired` went unused. `prices` are what
    a use at each partner costs, by the agreements of the moment of the grant; `at` are all merchants where it may be
    used. A use sets `cost` of the grantor's budget aside (null: there is none), and takes `own_cost` of it where it is
    the grantor's own. `stocked`: it came out of a stock, and goes back there unused.
    """

    __tablename__ = "member_right"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("cancelled >= 0 AND expired >= 0", name="unused"),
        CheckConstraint("remaining >= 0 AND remaining + cancelled + expired <= quantity", name="remaining"),
        CheckConstraint("booked >= 0 AND booked <= remaining", name="booked"),
        Index("ix_member_right_due", "expires_at", "holder_id", postgresql_where=text("NOT done")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID]
    grantor_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    currency: Mapped[str]
    quantity: Mapped[int]
    valid_from: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    granted_at: Mapped[datetime]
    at: Mapped[list[Any]]
    prices: Mapped[list[Any]]
    cost: Mapped[int | None]
    own_cost: Mapped[int]
    stocked: Mapped[bool]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    remaining: Mapped[int]
    booked: Mapped[int] = mapped_column(server_default=text("0"))
    cancelled: Mapped[int] = mapped_column(server_default=text("0"))
    expired: Mapped[int] = mapped_column(server_default=text("0"))
    done: Mapped[bool] = mapped_column(Computed("remaining = 0", persisted=True))

    @property
    def used(self) -> int:
        """How often it was used, or its member did not show up."""
        return self.quantity - self.remaining - self.cancelled - self.expired


class RightCode(Base):
    """Whose right a code is: the keyed hash of the code, never the code itself."""

    __tablename__ = "right_code"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    holder_id: Mapped[uuid.UUID]
    right_id: Mapped[uuid.UUID]


class TierRight(Base):
    """That a right came with a tier: its merchant's, and which of the member's there. Lost with the tier (R24): `lost`
    is the tier that the member had instead."""

    __tablename__ = "tier_right"
    __table_args__ = (Index("ix_tier_right_merchant", "holder_id", "merchant_id"),)

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    right_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID]
    seq: Mapped[int]
    level: Mapped[str]
    lost: Mapped[int | None]


class RightMove(Base):
    """What an operation changed of a right: `amount` of what is left of it, and `cost`, how much of the grantor's
    budget, in millionths, it gave back (below zero: set aside). `booking_id` is the booking that it ended."""

    __tablename__ = "right_move"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_right_move_right", "holder_id", "right_id", "operation_id"),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    right_id: Mapped[uuid.UUID]
    amount: Mapped[int]
    cost: Mapped[int]
    booking_id: Mapped[uuid.UUID | None]


ENDS = {"used": "USED", "cancelled": "CANCELLED", "missed": "NO_SHOW", "lapsed": "LAPSED"}
"""How a booking ends: columns of it, and what that is called."""

_ENDED = " + ".join(ENDS)


class RightBooking(Base):
    """One use of a right set aside at a merchant, until it is used, cancelled, or `expires_at` has come.

    With `cancel_until` the member has promised to come: whoever neither did nor cancelled by then is a no-show. `owed`
    are the lines that its use will make owed, reserved meanwhile. Of the last four, one is 1 once it has ended.
    """

    __tablename__ = "right_booking"
    __table_args__ = (
        CheckConstraint(
            f"{_ENDED} <= 1 AND least(used, cancelled, missed, lapsed) >= 0",
            name="ended",
        ),
        CheckConstraint("cancel_until <= expires_at", name="cancel_until"),
        Index("ix_right_booking_due", "expires_at", "holder_id", postgresql_where=text("open")),
        Index("ix_right_booking_right", "holder_id", "right_id"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    right_id: Mapped[uuid.UUID]
    merchant_id: Mapped[uuid.UUID]
    client_id: Mapped[uuid.UUID | None]
    booked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    cancel_until: Mapped[datetime | None]
    owed: Mapped[list[Any] | None]
    used: Mapped[int] = mapped_column(server_default=text("0"))
    cancelled: Mapped[int] = mapped_column(server_default=text("0"))
    missed: Mapped[int] = mapped_column(server_default=text("0"))
    lapsed: Mapped[int] = mapped_column(server_default=text("0"))
    open: Mapped[bool] = mapped_column(Computed(f"{_ENDED} = 0", persisted=True))

    @property
    def status(self) -> BookingStatus:
        """What became of it."""
        return BookingStatus(next((status for name, status in ENDS.items() if getattr(self, name)), "OPEN"))
