"""Cycles: how far their dates reach, and that one may be open still while the next is open already."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Statements that are out already are heard for a week more: nobody wrote down until when."""
    op.add_column("settlement_cycle", sa.Column("objections_until", sa.DateTime(timezone=True)))
    op.add_column("settlement_cycle", sa.Column("payments_due", sa.DateTime(timezone=True)))
    op.add_column(
        "settlement_cycle",
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
    )
    op.execute("UPDATE settlement_cycle SET objections_until = now() + interval '7 days' WHERE status = 'STATED'")
    op.drop_constraint(op.f("ck_settlement_cycle_closes_at"), "settlement_cycle", type_="check")
    op.create_check_constraint(
        op.f("ck_settlement_cycle_closes_at"), "settlement_cycle", "closes_at IS NOT NULL OR status = 'OPEN'"
    )
    op.create_index(
        "uq_settlement_cycle_entered",
        "settlement_cycle",
        ["status"],
        unique=True,
        postgresql_where=sa.text("status = 'OPEN' AND closes_at IS NULL"),
    )
    op.drop_index("uq_settlement_cycle_open", "settlement_cycle")
