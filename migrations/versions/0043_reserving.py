"""What holds and quotes reserve under a merchant's cap."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns, and a table of what quotes reserve. Holds that are open keep reserving nothing."""
    op.add_column("hold", sa.Column("reserves", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("quote", sa.Column("reserves", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "quote_reservation",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reserves", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "quote_id", name=op.f("pk_quote_reservation")),
    )
    op.create_index("ix_quote_reservation_expires", "quote_reservation", ["expires_at"])
