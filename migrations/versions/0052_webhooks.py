"""Webhooks, and what becomes of their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time, jsonb = sa.DateTime(timezone=True), sa.dialects.postgresql.JSONB()
    now = sa.text("clock_timestamp()")
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", jsonb, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'ENABLED'"), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("previous_until", time, nullable=True),
        sa.Column("failing_since", time, nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", time, server_default=now, nullable=False),
        sa.CheckConstraint("status IN ('ENABLED', 'DISABLED')", name=op.f("ck_webhook_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", jsonb, nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", time, server_default=now, nullable=False),
        sa.Column("response", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", time, server_default=now, nullable=False),
        sa.Column("done_at", time, nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'DELIVERED', 'GIVEN_UP')", name=op.f("ck_webhook_delivery_status")),
        sa.PrimaryKeyConstraint("webhook_id", "position", name=op.f("pk_webhook_delivery")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_webhook_delivery_pending",
        "webhook_delivery",
        ["webhook_id", "position"],
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index(
        "ix_webhook_delivery_done", "webhook_delivery", ["done_at"], postgresql_where=sa.text("done_at IS NOT NULL")
    )
