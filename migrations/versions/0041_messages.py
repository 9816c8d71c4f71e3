"""Messages to members: consents, preferences, messages and their texts, and how merchants send them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    """New tables; a column of merchants, and one by which changes of tiers are followed."""
    op.add_column("merchant", sa.Column("notifications", postgresql.JSONB(), nullable=True))
    op.create_table(
        "consent",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("text_version", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint("purpose IN ('SERVICE', 'MARKETING')", name=op.f("ck_consent_purpose")),
        sa.CheckConstraint("channel IN ('EMAIL', 'SMS')", name=op.f("ck_consent_channel")),
        sa.PrimaryKeyConstraint("holder_id", "merchant_id", "purpose", "channel", "id", name=op.f("pk_consent")),
    )
    op.create_table(
        "contact_preference",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("holder_id", name=op.f("pk_contact_preference")),
    )
    op.create_table(
        "message",
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'WAITING'"), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("booked_at", TIME, server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "state IN ('WAITING', 'DELIVERED', 'LOGGED', 'FAILED', 'SKIPPED')", name=op.f("ck_message_state")
        ),
        sa.CheckConstraint("(state = 'DELIVERED') = (delivered_at IS NOT NULL)", name=op.f("ck_message_delivered")),
        sa.PrimaryKeyConstraint("holder_id", "id", name=op.f("pk_message")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("uq_message_source", "message", ["holder_id", "source", "channel"], unique=True)
    op.create_table(
        "message_text",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("parts", postgresql.JSONB(), nullable=False),
        sa.Column("first_used_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_message_text")),
    )
    op.create_table(
        "message_cursor",
        sa.Column("one", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_message_cursor_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_message_cursor")),
    )
    op.add_column("member_tier", sa.Column("xid", sa.BigInteger(), nullable=True))
    # In a step of its own, so that the rows there are not written anew: nobody is told of what they say.
    op.alter_column("member_tier", "xid", server_default=sa.text("(pg_current_xact_id()::text::bigint)"))
    op.create_index("ix_member_tier_xid", "member_tier", ["xid"])
