"""Who waits for news of a member's wallets: a posting tells of these alone."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """As a rule a handful of rows, or none."""
    op.create_table(
        "wallet_watch",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("watcher_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "watcher_id", name=op.f("pk_wallet_watch")),
    )
