"""Stored value: what was paid for, and what was given on top of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "top_up",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("bonus", sa.BigInteger(), nullable=False),
        sa.Column("paid_lot_id", sa.Uuid(), nullable=False),
        sa.Column("bonus_lot_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "paid > 0 AND bonus >= 0 AND (bonus > 0) = (bonus_lot_id IS NOT NULL)", name=op.f("ck_top_up_parts")
        ),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_top_up")),
    )
    op.create_index("ix_top_up_wallet", "top_up", ["holder_id", "currency"])
