"""Payments: what came with them."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where nothing was said."""
    op.add_column("payment", sa.Column("reference", sa.Text()))
