"""What members are told of is followed in the one sequence of events."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One place instead of two; tiers need no number of their own."""
    op.drop_index("ix_member_tier_xid", "member_tier")
    op.drop_column("member_tier", "xid")
    op.execute("DELETE FROM message_cursor")
    op.drop_column("message_cursor", "leaf")
    op.drop_column("message_cursor", "xid")
    op.add_column("message_cursor", sa.Column("position", sa.BigInteger(), nullable=False))
