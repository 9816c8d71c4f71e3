"""Which redemptions paid for an order."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row a redemption: it pays for one order."""
    op.create_table(
        "order_tender",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("money", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name="pk_order_tender"),
        sa.CheckConstraint("amount >= 0", name="ck_order_tender_amount"),
    )
    op.create_index("ix_order_tender_order", "order_tender", ["holder_id", "order_id"])
