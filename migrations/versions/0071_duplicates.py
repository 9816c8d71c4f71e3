"""Members who may be one person: pairs, and the keys by which they are found."""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time, jsonb = sa.DateTime(timezone=True), sa.dialects.postgresql.JSONB()
    op.create_table(
        "duplicate_key",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "key", name=op.f("pk_duplicate_key")),
    )
    op.create_index("ix_duplicate_key_key", "duplicate_key", ["key", "holder_id"])
    op.create_table(
        "duplicate_candidate",
        sa.Column("one_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("probability", sa.BigInteger(), nullable=False),
        sa.Column("features", jsonb, nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("found_at", time, nullable=False),
        sa.Column("decided_at", time, nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('PROPOSED', 'LATER', 'NOT_SAME')", name=op.f("ck_duplicate_candidate_status")),
        sa.CheckConstraint("one_id < other_id", name=op.f("ck_duplicate_candidate_ordered")),
        sa.PrimaryKeyConstraint("one_id", "other_id", name=op.f("pk_duplicate_candidate")),
    )
    op.create_index(
        "ix_duplicate_candidate_queue", "duplicate_candidate", ["status", "probability", "one_id", "other_id"]
    )
    op.create_index("ix_duplicate_candidate_other", "duplicate_candidate", ["other_id"])
