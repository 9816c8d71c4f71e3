"""Members become one: whom they became, and where lots and debts that were carried came from."""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table, and columns that are null for all that was never carried."""
    op.create_table(
        "member_alias",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column("survivor_id", sa.Uuid(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("moved", sa.dialects.postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("holder_id <> into_id AND holder_id <> survivor_id", name=op.f("ck_member_alias_other")),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_member_alias")),
    )
    op.create_index("ix_member_alias_survivor", "member_alias", ["survivor_id"])
    op.create_index("ix_member_alias_into", "member_alias", ["into_id"])
    op.add_column("lot", sa.Column("root_holder_id", sa.Uuid(), nullable=True))
    op.add_column("lot", sa.Column("root_lot_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_lot_root",
        "lot",
        ["root_holder_id", "root_lot_id"],
        postgresql_where=sa.text("root_lot_id IS NOT NULL"),
    )
    op.add_column("debt", sa.Column("source_holder_id", sa.Uuid(), nullable=True))
    op.add_column("debt", sa.Column("source_operation_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_debt_source"), "debt", "(source_holder_id IS NULL) = (source_operation_id IS NULL)"
    )
    op.create_index(
        "ix_debt_source",
        "debt",
        ["source_holder_id", "source_operation_id"],
        postgresql_where=sa.text("source_operation_id IS NOT NULL"),
    )
