"""Erasures, and the legal holds that they yield to."""

import sqlalchemy as sa
from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "legal_hold",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at", time, nullable=False),
        sa.Column("until", time, nullable=True),
        sa.Column("released_at", time, nullable=True),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_legal_hold")),
    )
    op.create_table(
        "erasure",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", time, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_erasure")),
    )
