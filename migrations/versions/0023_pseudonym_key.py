"""The key of the names that two merchants share for a member and an operation."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of one row, which is made when it is needed."""
    op.create_table(
        "pseudonym_key",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_pseudonym_key_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pseudonym_key")),
    )
