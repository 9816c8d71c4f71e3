"""Defaults: what was missing of whom in which cycle, what covered it, who bore the rest, what came back since."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id

RESERVE_DRAWN = "HONOURED"
"""The kind of money transaction by which the honouring reserve pays for points of a merchant in default."""


class MerchantDefault(Base):
    """That a merchant's pay-in of a cycle was missing and it was declared in default; minor units.

    `missing` = `debts` - `claims` - `received` = `collateral` + `own_fund` + `fund` + `loss`. With `netted_again` the
    cycle was netted without it: then `claims` and `received` are zero. It is over at `ended_at`, when the merchant was
    restored. Its points are honoured by the reserve until `honoured_until`.
    """

    __tablename__ = "merchant_default"
    __table_args__ = (
        Index("uq_merchant_default", "merchant_id", "cycle_id", unique=True),
        CheckConstraint("missing = debts - claims - received", name="missing"),
        CheckConstraint("missing = collateral + own_fund + fund + loss", name="waterfall"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    merchant_id: Mapped[uuid.UUID]
    cycle_id: Mapped[uuid.UUID]
    debts: Mapped[int]
    claims: Mapped[int]
    received: Mapped[int]
    missing: Mapped[int]
    collateral: Mapped[int]
    own_fund: Mapped[int]
    fund: Mapped[int]
    loss: Mapped[int]
    netted_again: Mapped[bool] = mapped_column(server_default=text("false"))
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    declared_at: Mapped[datetime]
    honoured_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class DefaultShare(Base):
    """What a default is to another party, in minor units: what it was owed (`claim`), what was taken of its part of the
    guarantee fund, what it bears (`loss`) and was `repaid` of that; and what it was paid of the honouring reserve."""

    __tablename__ = "default_share"
    __table_args__ = (
        CheckConstraint("loss BETWEEN 0 AND claim", name="loss"),
        CheckConstraint("repaid BETWEEN 0 AND loss", name="repaid"),
        CheckConstraint("honoured >= 0", name="honoured"),
    )

    default_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    merchant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    claim: Mapped[int] = mapped_column(server_default=text("0"))
    fund: Mapped[int] = mapped_column(server_default=text("0"))
    loss: Mapped[int] = mapped_column(server_default=text("0"))
    repaid: Mapped[int] = mapped_column(server_default=text("0"))
    honoured: Mapped[int] = mapped_column(server_default=text("0"))


class Recovery(Base):
    """That money of a merchant in default came in, and how it was shared out: the reverse of the waterfall.

    `kept` was more than it owed: it is its own unapplied cash.
    """

    __tablename__ = "default_recovery"
    __table_args__ = (
        CheckConstraint("amount = losses + reserve + fund + collateral + kept", name="shared_out"),
        Index("ix_default_recovery_default", "default_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    default_id: Mapped[uuid.UUID]
    amount: Mapped[int]
    losses: Mapped[int]
    reserve: Mapped[int]
    fund: Mapped[int]
    collateral: Mapped[int]
    kept: Mapped[int]
    who: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    why: Mapped[str]
    as_of: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
