"""A sum of whole numbers in 64 bits: half the work of the exact one where half a million pairs are summed at once."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """It fails where 64 bits do not suffice; whoever uses it falls back on `sum` then."""
    op.execute("""
        CREATE AGGREGATE sum_bigint(bigint)
        (SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, INITCOND = '0', PARALLEL = SAFE)""")
