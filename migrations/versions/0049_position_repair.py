"""That a merchant's position was set to what is booked, by whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What it was, and what it is since."""
    figures = ("owed", "reserved", "withheld", "owed_before", "reserved_before", "withheld_before")
    op.create_table(
        "position_repair",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        *(sa.Column(name, sa.Numeric(38, 0), nullable=False) for name in figures),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_position_repair")),
    )
