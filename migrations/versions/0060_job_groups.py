"""Jobs that one was cut into, and how many there were."""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A small table; a column without a default, and an index of few rows."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "job_group",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("as_of", time, nullable=True),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
        sa.Column("started_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_group")),
    )
    op.add_column("job", sa.Column("group_id", sa.Uuid(), nullable=True))
    op.create_index("ix_job_group", "job", ["group_id"], postgresql_where=sa.text("group_id IS NOT NULL"))
