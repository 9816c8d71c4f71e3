"""By whose law a member is protected."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column, null for who is there."""
    op.add_column("member", sa.Column("jurisdiction", sa.Text(), nullable=True))
    op.execute(
        "ALTER TABLE member ADD CONSTRAINT ck_member_jurisdiction"
        " CHECK (jurisdiction ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$') NOT VALID"
    )
    op.execute("ALTER TABLE member VALIDATE CONSTRAINT ck_member_jurisdiction")


def downgrade() -> None:
    """Forget it."""
    op.drop_column("member", "jurisdiction")
