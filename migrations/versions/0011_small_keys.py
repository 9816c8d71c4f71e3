"""Idempotency keys name their operation in a column of its own, and lots lie closer."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was written before keeps its operation and its points in `outcome`, and is read there."""
    op.add_column("idempotency_key", sa.Column("operation_id", sa.Uuid(), nullable=True))
    op.add_column("idempotency_key", sa.Column("points", sa.BigInteger(), nullable=True))
    op.alter_column("idempotency_key", "outcome", nullable=True)
    op.execute("ALTER TABLE lot SET (fillfactor = 90)")
