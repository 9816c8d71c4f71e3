"""A member's fee in a quote, and the caps of all members a day."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column with its constraint, and an index."""
    op.add_column("quote", sa.Column("fee", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint(op.f("ck_quote_points"), "quote")
    op.execute(
        "ALTER TABLE quote ADD CONSTRAINT ck_quote_points"
        " CHECK (points_out > fee AND points_in > 0 AND fee >= 0) NOT VALID"
    )
    op.execute("ALTER TABLE quote VALIDATE CONSTRAINT ck_quote_points")
    op.create_index(
        "ix_quote_use_all", "quote_use", ["out_currency", "in_currency", "used_at"], postgresql_include=["points_out"]
    )
