"""What stands between members' points and who stole their accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Five tables, and from which device a session began."""
    time, jsonb = sa.DateTime(timezone=True), sa.dialects.postgresql.JSONB()
    op.create_table(
        "member_guard",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("locked_at", time, nullable=True),
        sa.Column("locked_until", time, nullable=True),
        sa.Column("changed", jsonb, nullable=False),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_member_guard")),
    )
    op.create_table(
        "guard_step",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("until", time, nullable=True),
        sa.Column("as_of", time, nullable=False),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('LOCKED', 'UNLOCKED', 'LOCK_LIFTED', 'COOLING_OFF_LIFTED', 'DEVICES_LIFTED')",
            name=op.f("ck_guard_step_kind"),
        ),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_guard_step")),
    )
    op.create_table(
        "member_device",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("first_seen_at", time, nullable=False),
        sa.Column("last_seen_at", time, nullable=False),
        sa.Column("trusted_at", time, nullable=True),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_member_device")),
    )
    op.create_index("uq_member_device_digest", "member_device", ["holder_id", "digest"], unique=True)
    op.create_table(
        "device_spend",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", time, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_device_spend")),
    )
    op.create_table(
        "device_day",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", time, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "currency", "day", name=op.f("pk_device_day")),
    )
    op.add_column("sign_in", sa.Column("device_id", sa.Uuid(), nullable=True))
