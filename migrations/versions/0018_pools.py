"""Pools: who they are, who is in them, and who spent of them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables."""
    op.create_table(
        "pool",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'CLOSED')", name=op.f("ck_pool_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool")),
    )
    op.create_table(
        "pool_name",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_pool_name")),
    )
    op.create_table(
        "pool_member",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('OWNER', 'SPENDER', 'CONTRIBUTOR')", name=op.f("ck_pool_member_role")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_pool_member")),
    )
    now = sa.text("left_at IS NULL")
    op.create_index("ix_pool_member_now", "pool_member", ["holder_id", "member_id"], unique=True, postgresql_where=now)
    op.create_index("ix_pool_member_member", "pool_member", ["member_id"], postgresql_where=now)
    op.create_table(
        "pool_spend",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_pool_spend")),
    )
