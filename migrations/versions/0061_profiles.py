"""What is known of members by declared attributes, and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time, jsonb = sa.DateTime(timezone=True), sa.dialects.postgresql.JSONB()
    op.create_table(
        "member_attribute",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("value", jsonb, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("set_at", time, nullable=False),
        sa.CheckConstraint("(value IS NULL) <> (sealed IS NULL)", name=op.f("ck_member_attribute_sealed")),
        sa.PrimaryKeyConstraint("holder_id", "code", name=op.f("pk_member_attribute")),
    )
    op.create_index(
        "ix_member_attribute_value",
        "member_attribute",
        ["code", "value", "holder_id"],
        postgresql_where=sa.text("jsonb_typeof(value) <> 'array'"),
    )
    op.create_index(
        "ix_member_attribute_choices",
        "member_attribute",
        ["value"],
        postgresql_using="gin",
        postgresql_ops={"value": "jsonb_path_ops"},
        postgresql_where=sa.text("jsonb_typeof(value) = 'array'"),
    )
    op.create_index(
        "ix_member_attribute_digest",
        "member_attribute",
        ["code", "digest"],
        postgresql_where=sa.text("digest IS NOT NULL"),
    )
    op.create_table(
        "member_tag",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ruled", sa.Boolean(), nullable=False),
        sa.Column("tagged_at", time, nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "owner_id", "code", name=op.f("pk_member_tag")),
    )
    op.create_index("ix_member_tag_owner", "member_tag", ["owner_id", "code", "holder_id"])
