"""What is drawn on subsidies, and by which operations."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables. What was issued before draws on nothing."""
    op.create_table(
        "subsidy_use",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("used", sa.Numeric(38, 0), nullable=False),
        sa.PrimaryKeyConstraint("agreement_id", "agreement_version", "currency", name=op.f("pk_subsidy_use")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "subsidy_draw",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_version", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reverses", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(reverses IS NULL) = (points > 0)", name=op.f("ck_subsidy_draw_reverses")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", "seq", name=op.f("pk_subsidy_draw")),
    )
    op.create_index(
        "ix_subsidy_draw_reverses",
        "subsidy_draw",
        ["holder_id", "reverses"],
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
