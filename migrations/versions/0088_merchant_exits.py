"""Merchants that leave the alliance."""

import sqlalchemy as sa
from alembic import op

revision = "0088"
down_revision = "0087"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "merchant_exit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("announced_at", time, nullable=False),
        sa.Column("ends_at", time, nullable=False),
        sa.Column("runs_off_to", time, nullable=False),
        sa.Column("last_cycle", sa.Integer(), nullable=False),
        sa.Column("claims_until", time, nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", time, nullable=True),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "ends_at >= announced_at AND runs_off_to >= ends_at AND claims_until >= runs_off_to",
            name=op.f("ck_merchant_exit_dates"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchant_exit")),
    )
    op.create_index(
        "uq_merchant_exit",
        "merchant_exit",
        ["merchant_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
