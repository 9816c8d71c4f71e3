"""Lines are found by kind, amount and store without looking through all of a party's."""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Kinds are few: an amount is found without one as well, kind by kind."""
    op.create_index("ix_obligation_amount", "obligation", ["cycle_id", "kind", "amount"])
    op.create_index(
        "ix_obligation_store",
        "obligation",
        ["cycle_id", "store", "operation_id", "seq"],
        postgresql_where="store IS NOT NULL",
    )
