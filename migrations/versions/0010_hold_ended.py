"""When holds ended, so that a wallet can be told as of a past instant."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHECK = "(status = 'OPEN') = (ended_at IS NULL AND ended_as_of IS NULL)"


def upgrade() -> None:
    """Of holds that ended before this was kept: when they were captured, else when their time was over, or now."""
    op.add_column("hold", sa.Column("ended_as_of", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hold", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """UPDATE hold SET ended_at = o.booked_at, ended_as_of = o.as_of FROM operation o
           WHERE hold.status = 'CAPTURED' AND o.holder_id = hold.holder_id AND o.id = hold.captured_by"""
    )
    op.execute(
        """UPDATE hold SET ended_at = greatest(booked_at, least(expires_at, now())), ended_as_of = expires_at
           WHERE status <> 'OPEN' AND ended_at IS NULL"""
    )
    op.execute(f"ALTER TABLE hold ADD CONSTRAINT ck_hold_ended CHECK ({CHECK}) NOT VALID")
    op.execute("ALTER TABLE hold VALIDATE CONSTRAINT ck_hold_ended")
