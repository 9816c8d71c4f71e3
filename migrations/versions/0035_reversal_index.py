"""What takes back earlier obligations is found by cycle, so that nobody looks through all of them for it."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only lines that reverse another one are in it."""
    op.create_index(
        "ix_obligation_reversing",
        "obligation",
        ["cycle_id", "debtor_id", "creditor_id"],
        postgresql_include=["amount"],
        postgresql_where="reverses IS NOT NULL",
    )
    op.execute("ALTER TABLE pair_net SET (fillfactor = 85)")
