"""Partners' files, what became of their lines, and the breaks that were found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "partner_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=True),
        sa.Column("cycle_id", sa.Uuid(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("received_at", time, nullable=False),
        sa.Column("received_by", sa.Text(), nullable=False),
        sa.Column("submitted_at", time, nullable=True),
        sa.Column("submitted_by", sa.Text(), nullable=True),
        sa.Column("finished_at", time, nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("step", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lines", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount", sa.Numeric(38, 0), server_default=sa.text("0"), nullable=False),
        sa.Column("tolerated", sa.Numeric(38, 0), server_default=sa.text("0"), nullable=False),
        sa.Column("outcomes", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("problems", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("refusal", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_file")),
        sa.UniqueConstraint("merchant_id", "key", "digest", name=op.f("uq_partner_file_merchant_id_key_digest")),
    )
    op.create_index("ix_partner_file_merchant", "partner_file", ["merchant_id", "id"])
    op.create_index("ix_partner_file_period", "partner_file", ["merchant_id", "cycle_id", "day"])
    op.create_table(
        "partner_file_part",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "seq", name=op.f("pk_partner_file_part")),
    )
    op.create_table(
        "partner_line",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("order_ref", sa.Text(), nullable=True),
        sa.Column("occurred_on", sa.Date(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("pass_no", sa.SmallInteger(), nullable=True),
        sa.Column("holder_id", sa.Uuid(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("file_id", "line_no", name=op.f("pk_partner_line")),
    )
    op.create_table(
        "partner_match",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "operation_id", "seq", name=op.f("pk_partner_match")),
    )
    op.create_table(
        "recon_break",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("cycle_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("line_no", sa.BigInteger(), nullable=True),
        sa.Column("holder_id", sa.Uuid(), nullable=True),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.SmallInteger(), nullable=True),
        sa.Column("ours", sa.BigInteger(), nullable=True),
        sa.Column("theirs", sa.BigInteger(), nullable=True),
        sa.Column("order_ref", sa.Text(), nullable=True),
        sa.Column("occurred_on", sa.Date(), nullable=True),
        sa.Column("opened_at", time, nullable=False),
        sa.Column("due_at", time, nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("closed_at", time, nullable=True),
        sa.Column("resolution_id", sa.Uuid(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recon_break")),
    )
    op.create_index("ix_recon_break_file", "recon_break", ["file_id", "line_no"])
    op.create_index("ix_recon_break_line", "recon_break", ["operation_id", "seq"])
    op.create_index("ix_recon_break_merchant", "recon_break", ["merchant_id", "status", "id"])
    op.create_index(
        "ix_recon_break_open", "recon_break", ["status", "opened_at"], postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_table(
        "partner_file_missing",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("told_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "mapping", "day", name=op.f("pk_partner_file_missing")),
    )
