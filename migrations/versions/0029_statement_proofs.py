"""What enters a leaf beside its lines, so that a line is proved without its operation; and what was signed."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that leaves without lines, and those sealed before, leave null; and a table."""
    op.add_column("log_leaf", sa.Column("rest", sa.LargeBinary()))
    op.create_table(
        "statement_signature",
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("cycle_id", "merchant_id", name=op.f("pk_statement_signature")),
    )
