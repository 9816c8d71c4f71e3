"""Events have a number, in one sequence with operations, and say which merchants they are for."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table, a column; and the kinds of events that are there under their new names, for whom they are."""
    op.create_table(
        "event_number",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event_number")),
    )
    op.create_index("ix_event_number_leaf", "event_number", ["leaf", "position"])
    op.create_index("uq_event_number_event", "event_number", ["holder_id", "event_id"], unique=True)
    jsonb = sa.dialects.postgresql.JSONB()
    op.add_column("event", sa.Column("seen_by", jsonb, server_default=sa.text("'[]'::jsonb"), nullable=False))
    op.execute("""
        UPDATE event SET kind = CASE kind
            WHEN 'joined' THEN 'MEMBER_JOINED' WHEN 'linked' THEN 'MEMBER_LINKED'
            WHEN 'status' THEN 'MEMBER_STATUS_CHANGED' WHEN 'joined pool' THEN 'POOL_JOINED'
            WHEN 'left pool' THEN 'POOL_LEFT' WHEN 'pool closed' THEN 'POOL_CLOSED' ELSE kind END
        WHERE kind IN ('joined', 'linked', 'status', 'joined pool', 'left pool', 'pool closed')""")
    op.execute("UPDATE event SET seen_by = jsonb_build_array(data -> 'merchant') WHERE kind = 'MEMBER_JOINED'")
    op.execute("""
        UPDATE event SET kind = 'CAP_ALERT', seen_by = jsonb_build_array(a.merchant_id),
               data = jsonb_build_object('merchant', a.merchant_id, 'level', a.level, 'used', a.used::text,
                                         'cap', a.cap::text)
        FROM exposure_alert a WHERE event.kind = 'exposure alert' AND a.id = event.id""")
    op.execute("""
        UPDATE event SET data = data || jsonb_build_object('pool', p.id, 'merchant', p.merchant_id),
               seen_by = jsonb_build_array(p.merchant_id)
        FROM pool p WHERE event.kind IN ('POOL_JOINED', 'POOL_LEFT', 'POOL_CLOSED')
          AND p.id = coalesce((event.data ->> 'pool')::uuid, event.holder_id)""")
