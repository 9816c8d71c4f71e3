"""Idempotency keys are found by their age."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keys lie in the order of their time, so that a block range index of a few pages will do."""
    op.create_index("ix_idempotency_key_created", "idempotency_key", ["created_at"], postgresql_using="brin")
