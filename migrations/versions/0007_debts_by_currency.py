"""An operation may make a debt in several currencies, and pay several."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The currency joins the keys of debts and of their payments."""
    op.drop_constraint("pk_debt", "debt")
    op.create_primary_key("pk_debt", "debt", ["holder_id", "operation_id", "currency"])
    op.add_column("debt_payment", sa.Column("currency", sa.Text(), nullable=True))
    op.execute(
        "UPDATE debt_payment p SET currency = d.currency"
        " FROM debt d WHERE d.holder_id = p.holder_id AND d.operation_id = p.debt_id"
    )
    op.alter_column("debt_payment", "currency", nullable=False)
    op.drop_constraint("pk_debt_payment", "debt_payment")
    op.create_primary_key("pk_debt_payment", "debt_payment", ["holder_id", "operation_id", "debt_id", "currency"])
