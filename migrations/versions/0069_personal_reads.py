"""Who read whose personal data, and what of it was unusual."""

import sqlalchemy as sa
from alembic import op

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "personal_read",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("viewer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("read_at", time, nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_personal_read")),
    )
    op.create_index("ix_personal_read_newest", "personal_read", ["id"])
    op.create_index("ix_personal_read_client", "personal_read", ["client_id", "read_at", "holder_id"])
    op.create_table(
        "read_alert",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("hour", time, nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("usual", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", time, nullable=False),
        sa.PrimaryKeyConstraint("client_id", "hour", name=op.f("pk_read_alert")),
    )
