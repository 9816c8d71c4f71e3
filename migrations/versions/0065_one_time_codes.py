"""One-time codes, and attempts that are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "one_time_code",
        sa.Column("destination", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_one_time_code")),
    )
    op.create_index("ix_one_time_code_expires", "one_time_code", ["expires_at"])
    op.create_table(
        "attempt_count",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("until", time, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_attempt_count")),
    )
    op.create_index("ix_attempt_count_until", "attempt_count", ["until"])
