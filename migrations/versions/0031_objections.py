"""Objections: lines of a statement that wait for a decision, and what is left out of the nets meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is in suspense yet."""
    op.add_column("pair_net", sa.Column("suspended", sa.Numeric(38, 0), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "objection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(38, 0), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expected", sa.BigInteger()),
        sa.Column("other_operation_id", sa.Uuid()),
        sa.Column("other_seq", sa.SmallInteger()),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection")),
    )
    op.create_index("uq_objection_line", "objection", ["operation_id", "seq"], unique=True)
    op.create_index("ix_objection_pair", "objection", ["cycle_id", "first_id", "second_id"])
