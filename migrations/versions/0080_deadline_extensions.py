"""Deadlines of cycles that were extended by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "deadline_extension",
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("before", time, nullable=False),
        sa.Column("until", time, nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", time, nullable=False),
        sa.Column("open_cycle_id", sa.Uuid(), nullable=True),
        sa.Column("at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("until > before", name=op.f("ck_deadline_extension_later")),
        sa.PrimaryKeyConstraint("cycle_id", "seq", name=op.f("pk_deadline_extension")),
    )
