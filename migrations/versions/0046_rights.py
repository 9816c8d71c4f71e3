"""Rights of members: kinds of them, what became of each, and bookings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Five tables; accounts of stocks and budgets may be below zero."""
    op.create_table(
        "benefit",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.id"], name=op.f("fk_benefit_merchant_id")),
        sa.PrimaryKeyConstraint("merchant_id", "code", name=op.f("pk_benefit")),
    )
    op.create_table(
        "member_right",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("grantor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", postgresql.JSONB(), nullable=False),
        sa.Column("prices", postgresql.JSONB(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("own_cost", sa.BigInteger(), nullable=False),
        sa.Column("stocked", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("booked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done", sa.Boolean(), sa.Computed("remaining = 0", persisted=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_member_right_quantity")),
        sa.CheckConstraint("cancelled >= 0 AND expired >= 0", name=op.f("ck_member_right_unused")),
        sa.CheckConstraint(
            "remaining >= 0 AND remaining + cancelled + expired <= quantity", name=op.f("ck_member_right_remaining")
        ),
        sa.CheckConstraint("booked >= 0 AND booked <= remaining", name=op.f("ck_member_right_booked")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_member_right")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_member_right_due", "member_right", ["expires_at", "holder_id"], postgresql_where=sa.text("NOT done")
    )
    op.create_table(
        "right_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_right_code")),
    )
    op.create_table(
        "right_move",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_right_move_amount")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_right_move")),
    )
    op.create_index("ix_right_move_right", "right_move", ["holder_id", "right_id", "operation_id"])
    ended = "used + cancelled + missed + lapsed"
    op.create_table(
        "right_booking",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancel_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owed", postgresql.JSONB(), nullable=True),
        sa.Column("used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lapsed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("open", sa.Boolean(), sa.Computed(f"{ended} = 0", persisted=True), nullable=False),
        sa.CheckConstraint(
            f"{ended} <= 1 AND least(used, cancelled, missed, lapsed) >= 0", name=op.f("ck_right_booking_ended")
        ),
        sa.CheckConstraint("cancel_until <= expires_at", name=op.f("ck_right_booking_cancel_until")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_right_booking")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_right_booking_due", "right_booking", ["expires_at", "holder_id"], postgresql_where=sa.text("open")
    )
    op.create_index("ix_right_booking_right", "right_booking", ["holder_id", "right_id"])
    _check("posted", "posted >= -debt OR kind IN ('STOCK', 'BUDGET')")
    _check("held", "held >= 0 AND held <= greatest(posted + debt, 0)")


def _check(name: str, condition: str) -> None:
    """Another condition for accounts: checked on what is there without keeping anybody out."""
    op.drop_constraint(op.f(f"ck_account_{name}"), "account")
    op.execute(f"ALTER TABLE account ADD CONSTRAINT ck_account_{name} CHECK ({condition}) NOT VALID")
    op.execute(f"ALTER TABLE account VALIDATE CONSTRAINT ck_account_{name}")
