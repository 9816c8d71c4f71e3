"""Reconciliations: the books proved on schedule."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("as_of", moment, nullable=False),
        sa.Column("started_at", moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("step", sa.Text(), server_default=sa.text("''"), nullable=False),
        *[
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("done", "total", "accounts", "operations", "found")
        ],
        *[
            sa.Column(name, postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False)
            for name in ("differences", "outstanding")
        ],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
    )
