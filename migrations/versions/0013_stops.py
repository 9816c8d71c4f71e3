"""Holders that are stopped from posting."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A mark that the engine reads with the account, and a row that says who and why."""
    op.add_column("account", sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "holder_stop",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("holder_id", "stopped_at", name=op.f("pk_holder_stop")),
    )
