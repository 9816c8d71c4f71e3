"""Jobs say what asked for them."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of jobs that are there already nobody knows."""
    op.add_column("job", sa.Column("request_id", sa.Text(), nullable=True))
    op.add_column("job", sa.Column("traceparent", sa.Text(), nullable=True))
