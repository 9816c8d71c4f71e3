"""Debts: what a wallet owes, and what paid it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHECKS = {"posted": "posted >= -debt", "held": "held >= 0 AND held <= posted + debt", "debt": "debt >= 0"}


def upgrade() -> None:
    """Two tables, and a column on account; its checks are proved without keeping others from writing."""
    op.add_column("account", sa.Column("debt", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint("ck_account_posted", "account")
    op.drop_constraint("ck_account_held", "account")
    for name, check in CHECKS.items():
        op.execute(f"ALTER TABLE account ADD CONSTRAINT ck_account_{name} CHECK ({check}) NOT VALID")
        op.execute(f"ALTER TABLE account VALIDATE CONSTRAINT ck_account_{name}")
    op.create_table(
        "debt",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_debt_points")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", name=op.f("pk_debt")),
    )
    op.create_table(
        "debt_payment",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("debt_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_debt_payment_points")),
        sa.PrimaryKeyConstraint("holder_id", "operation_id", "debt_id", name=op.f("pk_debt_payment")),
    )
