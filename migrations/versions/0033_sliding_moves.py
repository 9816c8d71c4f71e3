"""From when to when dates of inactivity were moved, and by which operation."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of moves that were made before nothing is known."""
    op.create_table(
        "sliding_move",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("sliding_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("moved_from", sa.DateTime(timezone=True)),
        sa.Column("moved_to", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", "sliding_id", name=op.f("pk_sliding_move")),
    )
