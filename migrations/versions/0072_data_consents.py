"""What members let merchants have of their data."""

import sqlalchemy as sa
from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "data_consent",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("text_version", sa.Text(), nullable=True),
        sa.Column("happened_at", time, nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("kind IN ('IDENTIFIERS', 'PROFILE')", name=op.f("ck_data_consent_kind")),
        sa.PrimaryKeyConstraint("holder_id", "merchant_id", "kind", "id", name=op.f("pk_data_consent")),
    )
