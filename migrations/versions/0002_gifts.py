"""Lots name the lot they came from; entries between two members are found; what was adjusted by hand is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns and a count to lots, an index that no earn touches, and a table."""
    op.add_column("lot", sa.Column("source_holder_id", sa.Uuid(), nullable=True))
    op.add_column("lot", sa.Column("source_lot_id", sa.Uuid(), nullable=True))
    op.add_column("lot", sa.Column("depth", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "adjustment",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_adjustment")),
    )
    op.create_index("ix_adjustment_client", "adjustment", ["holder_id", "client_id", "as_of"])
    op.create_index(
        "ix_entry_between",
        "entry",
        ["holder_id", "operation_id"],
        postgresql_where=sa.text("counter_account = 'POINTS'"),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_entry_between", table_name="entry")
    op.drop_table("adjustment")
    for column in ("depth", "source_lot_id", "source_holder_id"):
        op.drop_column("lot", column)
