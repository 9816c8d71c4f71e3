"""Re-ratings, and what each put right of every line; lines that take others back are found by what they name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables, and an index of the few lines that take back."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "rerate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("before_day", sa.Date(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("prices", postgresql.JSONB(), nullable=True),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", time, nullable=False),
        sa.Column("started_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", time, nullable=True),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cycle_number", sa.BigInteger(), nullable=True),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_rerate"),
    )
    op.create_index("ix_rerate_agreement", "rerate", ["agreement_id", "id"])
    op.create_table(
        "rerate_line",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("rerate_id", sa.Uuid(), nullable=False),
        sa.Column("price_before", sa.BigInteger(), nullable=True),
        sa.Column("amount_before", sa.BigInteger(), nullable=False),
        sa.Column("price_after", sa.BigInteger(), nullable=True),
        sa.Column("amount_after", sa.BigInteger(), nullable=False),
        sa.Column("reversing_id", sa.Uuid(), nullable=True),
        sa.Column("new_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", "seq", "rerate_id", name="pk_rerate_line"),
    )
    op.create_index("ix_rerate_line_rerate", "rerate_line", ["rerate_id", "operation_id"])
    op.create_index(
        "ix_obligation_reverses", "obligation", ["reverses"], postgresql_where=sa.text("reverses IS NOT NULL")
    )


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_obligation_reverses", "obligation")
    op.drop_table("rerate_line")
    op.drop_table("rerate")
