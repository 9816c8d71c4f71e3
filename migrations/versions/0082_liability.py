"""What is deferred for points that are out, at the end of each month, by cohort; and the estimates that it rests on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0082"
down_revision = "0081"
branch_labels = None
depends_on = None

POINTS = ("granted", "exchanged_in", "redeemed", "exchanged", "expired", "adjusted", "reversed", "transferred")
VALUES = ("sold", "funded", "taken_sold", "taken_funded", "redeemed", "exchanged", "ended", "transferred")
MONEY = ("opening", "sold", "funded", "taken_sold", "taken_funded", "commission", "redeemed_money", "exchanged_money")


def upgrade() -> None:
    """Three tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "liability_month",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("ends_at", time, nullable=False),
        sa.Column("closed_at", time, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("seen_before", sa.BigInteger(), nullable=False),
        sa.Column("unseen_from", sa.BigInteger(), nullable=False),
        sa.Column("unseen", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "month", name=op.f("pk_liability_month")),
    )
    op.create_table(
        "liability_estimate",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("use", sa.BigInteger(), nullable=False),
        sa.Column("policy_version", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("curve", postgresql.JSONB(), nullable=False),
        sa.Column("payable", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("use BETWEEN 0 AND 1000000000", name=op.f("ck_liability_estimate_use")),
        sa.PrimaryKeyConstraint("merchant_id", "currency", "month", name=op.f("pk_liability_estimate")),
    )
    op.create_table(
        "liability_cohort",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in POINTS),
        *(sa.Column(f"value_{name}", sa.Numeric(38, 0), nullable=False) for name in VALUES),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("at_grant", "use", "soon")),
        sa.Column("expected", sa.Numeric(38, 0), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("deferred", "current", *MONEY, "change")),
        sa.CheckConstraint(
            "deferred >= 0 AND current BETWEEN 0 AND deferred", name=op.f("ck_liability_cohort_deferred")
        ),
        sa.CheckConstraint(
            "opening + sold + funded - taken_sold - taken_funded - commission - redeemed_money - exchanged_money"
            " - change = deferred",
            name=op.f("ck_liability_cohort_rolled"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "currency", "month", "issued", name=op.f("pk_liability_cohort")),
    )
