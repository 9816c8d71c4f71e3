"""What is owed on lines that others object to gives no headroom."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_USED = "owed + reserved + withheld"


def upgrade() -> None:
    """A column, and what is computed with it."""
    level = " ".join(f"WHEN ({_USED}) * 100 >= cap::numeric * {n} THEN {n}" for n in (100, 85, 70))
    op.add_column("exposure", sa.Column("withheld", sa.Numeric(38, 0), server_default=sa.text("0"), nullable=False))
    op.execute(f"ALTER TABLE exposure ALTER COLUMN used SET EXPRESSION AS ({_USED})")
    op.execute(
        f"ALTER TABLE exposure ALTER COLUMN level SET EXPRESSION AS (CASE WHEN {_USED} <= 0 THEN 0 {level} ELSE 0 END)"
    )
    op.execute(
        """UPDATE exposure e SET withheld = o.withheld
           FROM (SELECT CASE WHEN amount > 0 THEN first_id ELSE second_id END AS merchant_id,
                        sum(abs(amount)) AS withheld
                 FROM objection GROUP BY 1) AS o
           WHERE o.merchant_id = e.merchant_id"""
    )
