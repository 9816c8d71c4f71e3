"""What banks reported, what it was matched with, files of payments that were released, payments held back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def _ids(names: str, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Uuid(), nullable=nullable) for name in names.split()]


def _texts(names: str, nullable: bool = False) -> list[sa.Column[object]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names.split()]


def _booked() -> list[sa.Column[object]]:
    return [
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("booked_at", _TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
    ]


def _act() -> list[sa.Column[object]]:
    return [*_ids("who"), *_ids("approved_by", True), *_texts("why"), *_booked()]


def upgrade() -> None:
    """Tables, and what a payment knows of its bank."""
    op.add_column("payment", sa.Column("split_of", sa.Integer(), nullable=True))
    op.add_column("payment", sa.Column("received_on", sa.Date(), nullable=True))
    op.add_column("payment", sa.Column("paid_in_on", sa.Date(), nullable=True))
    op.add_column("payment", sa.Column("released_at", _TIME, nullable=True))
    op.create_table(
        "statement_import",
        *_ids("id owner_id"),
        *_texts("sha256"),
        sa.Column("entries", sa.Integer(), nullable=False),
        *_ids("who"),
        *_booked(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_import")),
    )
    op.create_index("uq_statement_import_content", "statement_import", ["owner_id", "sha256"], unique=True)
    op.create_table(
        "bank_receipt",
        *_ids("id owner_id import_id"),
        *_texts("statement_id number"),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        *_texts("reference"),
        *(sa.Column(name, sa.LargeBinary(), nullable=True) for name in ("told", "name", "account", "mark")),
        *_ids("payer_id", True),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        *_texts("status"),
        sa.Column("proposal", postgresql.JSONB(), nullable=True),
        sa.Column("refunded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *_ids("split_of", True),
        *_booked(),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_bank_receipt_amount")),
        sa.CheckConstraint("refunded BETWEEN 0 AND greatest(amount, 0)", name=op.f("ck_bank_receipt_refunded")),
        sa.ForeignKeyConstraint(["import_id"], ["statement_import.id"], name=op.f("fk_bank_receipt_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_receipt")),
    )
    op.create_index("uq_bank_receipt_number", "bank_receipt", ["owner_id", "statement_id", "number"], unique=True)
    op.create_index("ix_bank_receipt_status", "bank_receipt", ["owner_id", "status", "id"])
    op.create_index("ix_bank_receipt_import", "bank_receipt", ["import_id"])
    op.create_table(
        "receipt_step",
        *_ids("id receipt_id"),
        *_texts("kind"),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        *_texts("how"),
        *_act(),
        sa.ForeignKeyConstraint(["receipt_id"], ["bank_receipt.id"], name=op.f("fk_receipt_step_receipt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_step")),
    )
    op.create_index("ix_receipt_step_receipt", "receipt_step", ["receipt_id", "id"])
    op.create_table(
        "receipt_match",
        *_ids("id receipt_id cycle_id"),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("confirms", sa.Boolean(), nullable=False),
        *_ids("step_id"),
        *_ids("undone_by", True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_receipt_match_amount")),
        sa.ForeignKeyConstraint(["receipt_id"], ["bank_receipt.id"], name=op.f("fk_receipt_match_receipt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_match")),
    )
    op.create_index("ix_receipt_match_receipt", "receipt_match", ["receipt_id"])
    op.create_index("ix_receipt_match_payment", "receipt_match", ["cycle_id", "seq"])
    op.create_table(
        "released_file",
        *_ids("id cycle_id party_id"),
        *_texts("kind message_id sha256"),
        sa.Column("numbers", postgresql.JSONB(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        *_act(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_released_file")),
    )
    op.create_index("uq_released_file_message", "released_file", ["cycle_id", "message_id"], unique=True)
    op.create_table(
        "payment_hold",
        *_ids("id cycle_id"),
        sa.Column("seq", sa.Integer(), nullable=False),
        *_ids("who"),
        *_ids("approved_by", True),
        *_texts("why"),
        sa.Column("held_at", _TIME, nullable=False),
        sa.Column("lifted_at", _TIME, nullable=True),
        *_ids("lifted_by lifted_approved_by", True),
        *_texts("lifted_why", True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_hold")),
    )
    op.create_index(
        "uq_payment_hold_open",
        "payment_hold",
        ["cycle_id", "seq"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def downgrade() -> None:
    """Without them."""
    for table in ["payment_hold", "released_file", "receipt_match", "receipt_step", "bank_receipt", "statement_import"]:
        op.drop_table(table)
    for column in ("released_at", "paid_in_on", "received_on", "split_of"):
        op.drop_column("payment", column)
