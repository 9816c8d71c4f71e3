"""Members who leave."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "member_closing",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", time, nullable=False),
        sa.Column("closes_at", time, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("own_wish", sa.Boolean(), nullable=False),
        sa.Column("beneficiary_id", sa.Uuid(), nullable=True),
        sa.Column("closed_at", time, nullable=True),
        sa.Column("settled_at", time, nullable=True),
        sa.Column("kept", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_member_closing")),
    )
    due, unsettled = sa.text("closed_at IS NULL"), sa.text("closed_at IS NOT NULL AND settled_at IS NULL")
    op.create_index("ix_member_closing_due", "member_closing", ["closes_at", "holder_id"], postgresql_where=due)
    op.create_index("ix_member_closing_unsettled", "member_closing", ["holder_id"], postgresql_where=unsettled)
