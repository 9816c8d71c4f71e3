"""Points that wait, and dates that slide with activity."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, and which lots slide."""
    op.create_table(
        "pending_grant",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matures_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owed", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("activated_by", sa.Uuid(), nullable=True),
        sa.Column("done", sa.Boolean(), sa.Computed("remaining = 0", persisted=True), nullable=False),
        sa.CheckConstraint("remaining >= 0 AND remaining <= granted", name=op.f("ck_pending_grant_remaining")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", "seq", name=op.f("pk_pending_grant")),
    )
    op.create_index(
        "ix_pending_grant_due",
        "pending_grant",
        ["matures_at", "holder_id"],
        unique=False,
        postgresql_where=sa.text("NOT done"),
    )
    op.create_table(
        "sliding_expiry",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_sliding_expiry")),
    )
    op.add_column("lot", sa.Column("sliding_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("lot", "sliding_id")
    op.drop_table("sliding_expiry")
    op.drop_index("ix_pending_grant_due", table_name="pending_grant", postgresql_where=sa.text("NOT done"))
    op.drop_table("pending_grant")
