"""Tiers of members, and of programmes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table, and a column on merchant."""
    op.add_column("merchant", sa.Column("tiers", postgresql.JSONB(), nullable=True))
    op.create_table(
        "member_tier",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("threshold", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("(level IS NULL) = (threshold IS NULL)", name=op.f("ck_member_tier_threshold")),
        sa.CheckConstraint("level IS NOT NULL OR until IS NULL", name=op.f("ck_member_tier_until")),
        sa.PrimaryKeyConstraint("holder_id", "merchant_id", "seq", name=op.f("pk_member_tier")),
    )
    op.create_index(
        "ix_member_tier_until",
        "member_tier",
        ["until", "holder_id"],
        postgresql_where=sa.text("until IS NOT NULL"),
    )
