"""Which terms members accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "terms_acceptance",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("happened_at", time, nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_terms_acceptance")),
    )
