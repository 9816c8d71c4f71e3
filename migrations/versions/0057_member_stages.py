"""The stages of members."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "member_stage",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("bought_at", time, nullable=True),
        sa.CheckConstraint("stage IN ('NEW', 'ACTIVE', 'DORMANT', 'LOST')", name=op.f("ck_member_stage_stage")),
        sa.PrimaryKeyConstraint("holder_id", "merchant_id", name=op.f("pk_member_stage")),
    )
    op.create_index("ix_member_stage_place", "member_stage", ["merchant_id", "stage", "holder_id"])
