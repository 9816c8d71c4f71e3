"""What one merchant comes to owe another: written with the operation that caused it, never edited."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base


class ObligationKind(StrEnum):
    """What it is owed for.

    FUNDING is what a funder pays when points are spent, BREAKAGE what moves when they end. A RIGHT is owed for by its
    grantor, where it was used. A FEE goes to the operator, as a line of its own. CORRECTION, INTEREST, TAX and LOSS
    follow from no member's event: `alliance.corrections` says from what.
    """

    EARN = "EARN"
    SPEND = "SPEND"
    EXCHANGE = "EXCHANGE"
    FUNDING = "FUNDING"
    BREAKAGE = "BREAKAGE"
    FEE = "FEE"
    RIGHT = "RIGHT"
    CORRECTION = "CORRECTION"
    INTEREST = "INTEREST"
    TAX = "TAX"
    LOSS = "LOSS"


class Obligation(Base):
    """`debtor_id` owes `creditor_id` `amount` millionths of the settlement currency; negative where it reverses one.

    `price` is what was agreed for a point (in 10^-8, the debtor's share of it), so that `amount` = `points` x `price`;
    null on a fee, which is a share of another line. `late` marks an event sent later than the alliance accepts (A2),
    `past_cap` what took its debtor past its cap because it was promised (A5).
    """

    __tablename__ = "obligation"
    __table_args__ = (
        CheckConstraint("debtor_id <> creditor_id", name="parties"),
        CheckConstraint("price IS NULL OR amount * 100 = points * price", name="amount"),
        Index("ix_obligation_debtor", "cycle_id", "debtor_id", "operation_id", "seq"),
        Index("ix_obligation_creditor", "cycle_id", "creditor_id", "operation_id", "seq"),
        Index(
            "ix_obligation_order",
            "order_ref",
            postgresql_using="brin",
            postgresql_ops={"order_ref": "text_bloom_ops"},
            postgresql_with={"autosummarize": "on"},
        ),
        Index("ix_obligation_amount", "cycle_id", "kind", "amount"),
        Index(
            "ix_obligation_store",
            "cycle_id",
            "store",
            "operation_id",
            "seq",
            postgresql_where=text("store IS NOT NULL"),
        ),
        Index("ix_obligation_reverses", "reverses", postgresql_where=text("reverses IS NOT NULL")),
        Index(
            "ix_obligation_reversing",
            "cycle_id",
            "debtor_id",
            "creditor_id",
            postgresql_include=["amount"],
            postgresql_where=text("reverses IS NOT NULL"),
        ),
    )

    holder_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    cycle_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    debtor_id: Mapped[uuid.UUID]
    creditor_id: Mapped[uuid.UUID]
    currency: Mapped[str]
    points: Mapped[int]
    price: Mapped[int | None]
    amount: Mapped[int]
    agreement_id: Mapped[uuid.UUID]
    agreement_version: Mapped[int]
    merchant_id: Mapped[uuid.UUID]
    order_ref: Mapped[str | None]
    store: Mapped[str | None]
    occurred_at: Mapped[datetime]
    booked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    reverses: Mapped[uuid.UUID | None]
    late: Mapped[bool] = mapped_column(server_default=text("false"))
    past_cap: Mapped[bool] = mapped_column(server_default=text("false"))
