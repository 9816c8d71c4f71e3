"""Pools of households and companies: kinds, invitations and limits."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column and two tables."""
    time = sa.DateTime(timezone=True)
    op.add_column("pool", sa.Column("kind", sa.Text(), server_default=sa.text("'HOUSEHOLD'"), nullable=False))
    op.execute("ALTER TABLE pool ADD CONSTRAINT ck_pool_kind CHECK (kind IN ('HOUSEHOLD', 'CORPORATE')) NOT VALID")
    op.execute("ALTER TABLE pool VALIDATE CONSTRAINT ck_pool_kind")
    op.create_table(
        "pool_invitation",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_at", time, nullable=False),
        sa.Column("answered_at", time, nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.CheckConstraint("role IN ('SPENDER', 'CONTRIBUTOR')", name=op.f("ck_pool_invitation_role")),
        sa.CheckConstraint("(answered_at IS NULL) = (accepted IS NULL)", name=op.f("ck_pool_invitation_answered")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_pool_invitation")),
    )
    open_ = sa.text("answered_at IS NULL")
    op.create_index(
        "ix_pool_invitation_open", "pool_invitation", ["holder_id", "member_id"], unique=True, postgresql_where=open_
    )
    op.create_index("ix_pool_invitation_member", "pool_invitation", ["member_id"], postgresql_where=open_)
    op.create_table(
        "pool_limit",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("moves", sa.Text(), nullable=False),
        sa.Column("per", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("ck_pool_limit_points")),
        sa.CheckConstraint("moves IN ('SPEND', 'CONTRIBUTE')", name=op.f("ck_pool_limit_moves")),
        sa.CheckConstraint("per IN ('OPERATION', 'DAY', 'WEEK', 'MONTH')", name=op.f("ck_pool_limit_per")),
        sa.PrimaryKeyConstraint("holder_id", "moves", "per", "member_id", name=op.f("pk_pool_limit")),
    )
