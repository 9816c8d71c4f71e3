"""Returns of parts of an operation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What each reversal undid; a reversal from before has no row, and undid the whole."""
    op.create_table(
        "operation_return",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("returned", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("undone", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.CheckConstraint("undone >= 0 AND due >= 0", name=op.f("ck_operation_return_points")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_operation_return")),
    )
