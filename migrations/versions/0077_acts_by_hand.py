"""Corrections between merchants, approvals by a second person, money accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    """Five tables."""
    op.create_table(
        "correction",
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_holder_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_operation_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_seq", sa.SmallInteger(), nullable=True),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("booked_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_correction")),
    )
    op.create_index("ix_correction_cause", "correction", ["cause", "cause_id"])
    op.create_index(
        "ix_correction_corrects",
        "correction",
        ["corrects_operation_id", "corrects_seq"],
        postgresql_where=sa.text("corrects_operation_id IS NOT NULL"),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("args", JSONB(), nullable=False),
        sa.Column("amount", sa.Numeric(38, 0), nullable=True),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'WAITING'"), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("outcome", JSONB(), nullable=True),
        sa.Column("booked_at", _TIME, server_default=_NOW, nullable=False),
        sa.CheckConstraint("decided_by <> asked_by OR status = 'WITHDRAWN'", name=op.f("ck_approval_four_eyes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index("ix_approval_waiting", "approval", ["id"], postgresql_where=sa.text("status = 'WAITING'"))
    op.create_table(
        "money_transaction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.Column("cycle_id", sa.Uuid(), nullable=True),
        sa.Column("who", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("booked_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_money_transaction")),
    )
    op.create_index("ix_money_transaction_cause", "money_transaction", ["kind", "cause_id"])
    op.create_table(
        "money_entry",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_money_entry_amount")),
        sa.PrimaryKeyConstraint("transaction_id", "seq", name=op.f("pk_money_entry")),
    )
    op.create_index("ix_money_entry_account", "money_entry", ["party_id", "account", "transaction_id"])
    op.create_table(
        "money_balance",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "account NOT IN ('COLLATERAL', 'FUND', 'RESERVE', 'UNAPPLIED') OR balance <= 0",
            name=op.f("ck_money_balance_floor"),
        ),
        sa.PrimaryKeyConstraint("account", "party_id", name=op.f("pk_money_balance")),
    )
