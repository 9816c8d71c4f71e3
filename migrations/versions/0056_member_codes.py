"""Codes of members that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    op.create_table(
        "member_code_use",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "nonce", name=op.f("pk_member_code_use")),
    )
    op.create_index("ix_member_code_use_used", "member_code_use", ["used_at"])
