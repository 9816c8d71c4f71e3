"""Merchants that are frozen, by whom and why; and what is withheld, which never gives room."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_USED = "owed + reserved + greatest(withheld, 0)"


def upgrade() -> None:
    """A column, a table, and what a position is."""
    op.add_column("merchant", sa.Column("frozen_since", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "freeze_step",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "seq", name=op.f("pk_freeze_step")),
    )
    level = " ".join(f"WHEN ({_USED}) * 100 >= cap::numeric * {level} THEN {level}" for level in (100, 85, 70))
    op.execute(f"ALTER TABLE exposure ALTER COLUMN used SET EXPRESSION AS ({_USED})")
    op.execute(
        f"ALTER TABLE exposure ALTER COLUMN level SET EXPRESSION AS (CASE WHEN {_USED} <= 0 THEN 0 {level} ELSE 0 END)"
    )
