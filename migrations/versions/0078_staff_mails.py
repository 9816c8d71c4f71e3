"""Mails to staff, and how far they have been told of what happened."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "staff_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'WAITING'"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("sent_at", time, nullable=True),
        sa.Column("booked_at", time, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('WAITING', 'SENT', 'LOGGED', 'FAILED', 'SKIPPED')", name=op.f("ck_staff_mail_state")
        ),
        sa.CheckConstraint("(state = 'SENT') = (sent_at IS NOT NULL)", name=op.f("ck_staff_mail_sent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_mail")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("uq_staff_mail_source", "staff_mail", ["source", "party_id", "contact"], unique=True)
    op.create_table(
        "staff_mail_cursor",
        sa.Column("one", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_staff_mail_cursor_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_staff_mail_cursor")),
    )
