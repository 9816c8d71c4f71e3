"""How merchants' own files for reconciliation are written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column, as the alliance file has it; and of which cycle a file is missing."""
    op.add_column(
        "merchant",
        sa.Column("partner_files", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.add_column("partner_file_missing", sa.Column("cycle_id", sa.Uuid(), nullable=True))
