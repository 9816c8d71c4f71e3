"""That a statement was confirmed for its merchant while objections were heard, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Null where the merchant or the calendar confirmed."""
    op.add_column("statement", sa.Column("confirmed_early", sa.Text(), nullable=True))
