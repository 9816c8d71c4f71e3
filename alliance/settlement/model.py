"""Cycles, and what netting made of each: pair nets, statements, positions, payments."""

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Integer, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, WideInteger, new_id

COMMAND_LINE = uuid.UUID("00000000-0000-7000-8000-7e55e7ac0de0")
"""In a cycle's history: whoever was at the command line. The calendar is the alliance itself."""


CYCLE_LOCK = (0x7E55, 1)
"""Advisory lock: what books an obligation holds it shared, and so is seen by what closes a cycle."""


class CycleStatus(StrEnum):
    """In this order; ABORTED from CLOSED, STATED, CONFIRMED or NETTED."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    STATED = "STATED"
    CONFIRMED = "CONFIRMED"
    NETTED = "NETTED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    ABORTED = "ABORTED"


class PaymentStatus(StrEnum):
    """PLANNED by netting, PAID by settling; CARRIED to the next cycle for being too small; VOID with its cycle.

    Of who is in default (A12): HELD is withheld from it; what it did not pay is MOVED, to be owed in the open cycle.
    """

    PLANNED = "PLANNED"
    HELD = "HELD"
    PAID = "PAID"
    MOVED = "MOVED"
    CARRIED = "CARRIED"
    VOID = "VOID"


class SettlementCycle(Base):
    """The period to which an obligation belongs. Exactly one is open without an end: obligations fall into it.

    One that is open and has an end is being closed: what was already being written when the next one was opened may
    still fall into it. `opens_at` and `closes_at` are what the alliance calls its bounds, `booked_at` is when it was
    opened by the clock of the database. Objections are heard until `objections_until`, payments are due by
    `payments_due`, both exclusive.
    """

    __tablename__ = "settlement_cycle"
    __table_args__ = (
        Index(
            "uq_settlement_cycle_entered",
            "status",
            unique=True,
            postgresql_where=text("status = 'OPEN' AND closes_at IS NULL"),
        ),
        Index("uq_settlement_cycle_number", "number", unique=True),
        CheckConstraint("closes_at IS NOT NULL OR status = 'OPEN'", name="closes_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(Integer)
    status: Mapped[str]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime | None]
    objections_until: Mapped[datetime | None]
    payments_due: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class CycleTransition(Base):
    """That a cycle entered a status: by whose act, why, as of when, and when it was booked."""

    __tablename__ = "cycle_transition"

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    status: Mapped[str]
    who: Mapped[uuid.UUID]
    why: Mapped[str]
    as_of: Mapped[datetime]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class PairNetRow(Base):
    """`alliance.settlement.rules.PairNet`, kept when the statements of a cycle are issued.

    One of a merchant in default is `left_out` when its cycle is netted: all of it is carried, until that is over (A12).
    """

    __tablename__ = "pair_net"
    # Some are netted again when lines of theirs are objected to: in place, where the page has room.
    __table_args__ = (CheckConstraint("first_id < second_id", name="parties"), {"postgresql_with": {"fillfactor": 85}})

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    first_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    second_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    opening: Mapped[int] = mapped_column(WideInteger)
    lines: Mapped[int] = mapped_column(WideInteger)
    adjustments: Mapped[int] = mapped_column(WideInteger)
    gross: Mapped[int] = mapped_column(WideInteger)
    count: Mapped[int]
    net: Mapped[int]
    carried: Mapped[int] = mapped_column(WideInteger)
    suspended: Mapped[int] = mapped_column(WideInteger, server_default=text("0"))
    left_out: Mapped[bool] = mapped_column(server_default=text("false"))


class Statement(Base):
    """That a merchant was sent its statement of a cycle, and when it was confirmed. Its figures are the pair nets.

    `confirmed_early` is why another confirmed it for the merchant, while objections were still heard.
    """

    __tablename__ = "statement"

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    issued_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[uuid.UUID | None]
    confirmed_early: Mapped[str | None]


class NetPosition(Base):
    """What a merchant receives (positive) or pays, in minor units; what is settled and carried brings it to zero."""

    __tablename__ = "net_position"
    __table_args__ = (CheckConstraint("abs(settled + carried) <= abs(amount)", name="settled"),)

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]
    carried: Mapped[int] = mapped_column(server_default=text("0"))
    settled: Mapped[int] = mapped_column(server_default=text("0"))


class Payment(Base):
    """One payment of the plan, in minor units. `reference` is what came with it, say of a bank.

    What came short is split in two: `split_of` is the number that its first part has. `received_on` is the bank's day.
    Where all is paid into one account, `paid_in_on` is the day on which the payer's money came. `released_at` is when
    the file that it is in was released.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("payer_id <> payee_id", name="parties"),
    )

    cycle_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    payer_id: Mapped[uuid.UUID]
    payee_id: Mapped[uuid.UUID]
    amount: Mapped[int]
    status: Mapped[str]
    paid_at: Mapped[datetime | None]
    reference: Mapped[str | None]
    split_of: Mapped[int | None] = mapped_column(Integer)
    received_on: Mapped[date | None]
    paid_in_on: Mapped[date | None]
    released_at: Mapped[datetime | None]
