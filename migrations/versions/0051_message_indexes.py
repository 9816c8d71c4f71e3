"""The newest messages are found, and those that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two indexes."""
    op.create_index("ix_message_newest", "message", ["id"])
    op.create_index("ix_message_failed", "message", ["id"], postgresql_where=sa.text("state = 'FAILED'"))
