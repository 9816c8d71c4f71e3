"""Holds, and what they set aside of lots."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, and a column on lot; its check is proved without keeping others from writing."""
    op.add_column("lot", sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.execute("ALTER TABLE lot ADD CONSTRAINT ck_lot_held CHECK (held >= 0 AND held <= remaining) NOT VALID")
    op.execute("ALTER TABLE lot VALIDATE CONSTRAINT ck_lot_held")
    op.create_table(
        "hold",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("store", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("order_ref", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_version", sa.BigInteger(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'OPEN'"), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("captured_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("points > 0", name=op.f("ck_hold_points")),
        sa.CheckConstraint(
            "CASE WHEN status = 'CAPTURED' THEN captured > 0 AND captured <= points AND captured_by IS NOT NULL"
            " ELSE captured = 0 AND captured_by IS NULL END",
            name=op.f("ck_hold_captured"),
        ),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_hold")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_hold_open",
        "hold",
        ["holder_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_table(
        "hold_allocation",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_hold_allocation_amount")),
        sa.PrimaryKeyConstraint("holder_id", "hold_id", "seq", name=op.f("pk_hold_allocation")),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("hold_allocation")
    op.drop_index("ix_hold_open", table_name="hold", postgresql_where=sa.text("status = 'OPEN'"))
    op.drop_table("hold")
    op.drop_constraint("ck_lot_held", "lot")
    op.drop_column("lot", "held")
