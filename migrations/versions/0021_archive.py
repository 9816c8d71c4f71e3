"""Operations that are archived: their leaves are marked, their sums kept."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, a column and its index."""
    op.create_table(
        "archive_run",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("operations", sa.BigInteger(), nullable=False),
        sa.Column("first_leaf", sa.BigInteger(), nullable=False),
        sa.Column("last_leaf", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "archived_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_archive_run")),
    )
    op.create_table(
        "archived_sum",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("run", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("inward", sa.Boolean(), nullable=False),
        sa.Column("counter_holder_id", sa.Uuid(), nullable=False),
        sa.Column("counter_account", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "holder_id",
            "run",
            "currency",
            "kind",
            "inward",
            "counter_holder_id",
            "counter_account",
            name=op.f("pk_archived_sum"),
        ),
    )
    op.create_index("ix_archived_sum_run", "archived_sum", ["run"])
    op.add_column("log_leaf", sa.Column("archived_by", sa.BigInteger()))
    op.create_index(
        "ix_log_leaf_archived",
        "log_leaf",
        ["archived_by", "index"],
        postgresql_where=sa.text("archived_by IS NOT NULL"),
    )
