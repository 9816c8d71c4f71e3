"""The log of all operations: which transaction wrote each, its leaf, the signed checkpoints, the keys."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Operations that are there already get 0: older than every transaction. No row is written for that."""
    op.add_column("operation", sa.Column("xid", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.alter_column("operation", "xid", server_default=sa.text("(pg_current_xact_id()::text::bigint)"))
    op.create_index("ix_operation_xid", "operation", ["xid"])
    op.create_table(
        "log_leaf",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_log_leaf")),
    )
    op.create_index("uq_log_leaf_operation", "log_leaf", ["operation_id", "holder_id"], unique=True)
    op.create_table(
        "log_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoint")),
    )
    op.create_table(
        "log_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_log_key")),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("log_key")
    op.drop_table("log_checkpoint")
    op.drop_table("log_leaf")
    op.drop_index("ix_operation_xid", "operation")
    op.drop_column("operation", "xid")
