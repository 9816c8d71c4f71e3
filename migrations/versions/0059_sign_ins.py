"""Sessions of members, revoked tokens, and clients without a secret."""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time, jsonb = sa.DateTime(timezone=True), sa.dialects.postgresql.JSONB()
    op.create_table(
        "sign_in",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", jsonb, nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.CheckConstraint("ended_why IN ('SIGNED_OUT', 'EVERYWHERE', 'REUSED')", name=op.f("ck_sign_in_ended_why")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_sign_in")),
    )
    op.create_index("ix_sign_in_expires", "sign_in", ["expires_at"])
    op.create_table(
        "token_revocation",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("before", time, nullable=True),
        sa.Column("created_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_token_revocation")),
    )
    op.create_index("ix_token_revocation_created", "token_revocation", ["created_at"])
    op.alter_column("oauth_client", "secret_hash", existing_type=sa.Text(), nullable=True)
