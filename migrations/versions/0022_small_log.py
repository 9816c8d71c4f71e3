"""Leaves of the log are found by their operation alone: its id is unique without the holder."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A narrower unique index takes the place of the one that also held the holder. Only the sealer waits for it."""
    op.create_index("uq_log_leaf_operation_id", "log_leaf", ["operation_id"], unique=True)
    op.drop_index("uq_log_leaf_operation", "log_leaf")
