"""Lots keep the version by which their funder settles later; rows that wait to be lots too."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns."""
    op.add_column("lot", sa.Column("agreement_version", sa.BigInteger()))
    op.add_column("pending_grant", sa.Column("agreement_version", sa.BigInteger()))
