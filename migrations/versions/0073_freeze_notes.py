"""What else there is to say of how a member stands."""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column."""
    op.add_column("member", sa.Column("status_note", sa.LargeBinary(), nullable=True))
