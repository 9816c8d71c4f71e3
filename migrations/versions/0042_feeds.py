"""Feeds of files: what was declared, the runs over their files, and all that these booked and refused."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_COUNTS = ("rows", "read", "posted", "duplicate", "refused")


def _counts() -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False) for name in _COUNTS]


def upgrade() -> None:
    """Seven tables."""
    op.create_table(
        "feed",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True)),
        sa.Column("trouble", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("code", name=op.f("uq_feed_code")),
    )
    op.create_table(
        "feed_file",
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("feed_id", "name", name=op.f("pk_feed_file")),
    )
    op.create_table(
        "accrual_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("feed_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text()),
        sa.Column("columns", postgresql.JSONB()),
        sa.Column("status", sa.Text(), server_default=sa.text("'TAKEN'"), nullable=False),
        *_counts(),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("same_as", sa.Uuid()),
        sa.Column("refusal", postgresql.JSONB()),
        sa.CheckConstraint("read = posted + duplicate + refused", name=op.f("ck_accrual_run_read")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accrual_run")),
    )
    op.create_index("ix_accrual_run_merchant", "accrual_run", ["merchant_id", "id"])
    op.create_index("ix_accrual_run_feed", "accrual_run", ["feed_id", "id"])
    op.create_index(
        "uq_accrual_run_digest",
        "accrual_run",
        ["feed_id", "digest"],
        unique=True,
        postgresql_where=sa.text("status IN ('RUNNING', 'DONE', 'UNDOING')"),
    )
    op.create_table(
        "accrual_part",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        *_counts(),
        sa.Column("done", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("start <= position AND position <= stop", name=op.f("ck_accrual_part_position")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_accrual_part")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "accrual_posting",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Uuid()),
        sa.Column("kept", sa.Text()),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_accrual_posting")),
    )
    op.create_index("ix_accrual_posting_run", "accrual_posting", ["run_id", "line"])
    op.create_table(
        "accrual_refusal",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("refusal", postgresql.JSONB(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "line", name=op.f("pk_accrual_refusal")),
    )
    op.create_table(
        "accrual_undo",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("reversed", "taken", "shortfall", "kept")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_accrual_undo")),
    )
