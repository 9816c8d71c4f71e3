"""What the alliance file says of members."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A small table."""
    op.create_table(
        "member_terms",
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("definition", sa.dialects.postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("part", "code", name=op.f("pk_member_terms")),
    )
