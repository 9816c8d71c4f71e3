"""Payments: what came with them."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where nothing was said."""
    op.add_column("payment", sa.Column("reference", sa.Text()))
