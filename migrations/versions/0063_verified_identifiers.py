"""When an identifier that has to be verified was: those known so far count as verified since they were linked."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member_identifier", sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """UPDATE member_identifier SET verified_at = linked_at FROM identifier_type
           WHERE identifier_type.type = member_identifier.type AND definition ->> 'verify' IS NOT NULL"""
    )


def downgrade() -> None:
    op.drop_column("member_identifier", "verified_at")
