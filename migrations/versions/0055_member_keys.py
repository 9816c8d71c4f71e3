"""Keys of members, wrapped, and by which keys of the house a database was sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "member_key",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped_by", sa.Text(), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("destroyed_at", time, nullable=True),
        sa.CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("ck_member_key_destroyed")),
        sa.CheckConstraint("(wrapped IS NULL) = (wrapped_by IS NULL)", name=op.f("ck_member_key_wrapped")),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_member_key")),
    )
    op.create_index(
        "ix_member_key_wrapped_by",
        "member_key",
        ["wrapped_by", "holder_id"],
        postgresql_where=sa.text("wrapped IS NOT NULL"),
    )
    op.create_table(
        "key_check",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False),
        sa.Column("noted_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_key_check_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_key_check")),
    )
