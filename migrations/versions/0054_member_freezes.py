"""Members who are frozen: why, since when and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns."""
    time = sa.DateTime(timezone=True)
    op.add_column("member", sa.Column("status_since", time, nullable=True))
    op.add_column("member", sa.Column("status_reason", sa.Text(), nullable=True))
    op.add_column("member", sa.Column("frozen_until", time, nullable=True))
    op.execute(
        "ALTER TABLE member ADD CONSTRAINT ck_member_frozen_until"
        " CHECK (frozen_until IS NULL OR status = 'FROZEN') NOT VALID"
    )
    op.execute("ALTER TABLE member VALIDATE CONSTRAINT ck_member_frozen_until")
    thaws = sa.text("frozen_until IS NOT NULL")
    op.create_index("ix_member_thaws", "member", ["frozen_until", "id"], postgresql_where=thaws)
