"""Positions against a cap a merchant, alerts; points that wait for room, and lines that went past a cap.

Before, a merchant whose file named no limit had one of zero that nothing asked for: it has none now.
"""

import sqlalchemy as sa
from alembic import op
from iso4217 import Currency

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_NO_CAP = """
    UPDATE merchant SET settlement = settlement - 'creditLimit'
    WHERE (settlement ->> 'creditLimit')::numeric = 0 AND (settlement ->> 'collateral')::numeric = 0"""

_POSITIONS = """
    INSERT INTO exposure (merchant_id, cap, owed, reserved)
    SELECT m.id, (((m.settlement ->> 'creditLimit')::numeric + (m.settlement ->> 'collateral')::numeric)
                  * 1000000)::bigint,
           coalesce(o.owed, 0), coalesce(r.reserved, 0)
    FROM merchant m
    LEFT JOIN (
        SELECT merchant_id, sum(amount) AS owed FROM (
            SELECT debtor_id AS merchant_id, amount FROM obligation
            UNION ALL SELECT creditor_id, -amount FROM obligation
            UNION ALL SELECT payer_id, -amount * :unit FROM payment WHERE status = 'PAID'
            UNION ALL SELECT payee_id, amount * :unit FROM payment WHERE status = 'PAID') AS moved
        GROUP BY 1) o ON o.merchant_id = m.id
    LEFT JOIN (
        SELECT merchant_id,
               sum(part + ((rest * 2 > whole OR (rest * 2 = whole AND part % 2 = 1))::int)) AS reserved
        FROM (SELECT (line ->> 'debtor_id')::uuid AS merchant_id, p.granted::numeric AS whole,
                     div((line ->> 'amount')::numeric * p.remaining, p.granted) AS part,
                     mod((line ->> 'amount')::numeric * p.remaining, p.granted) AS rest
              FROM pending_grant p CROSS JOIN LATERAL jsonb_array_elements(p.owed) AS line
              WHERE NOT p.done AND jsonb_typeof(p.owed) = 'array') AS lines
        GROUP BY 1) r ON r.merchant_id = m.id
    WHERE m.settlement ? 'creditLimit'"""


def upgrade() -> None:
    """Two tables, two columns and an index; what is booked is summed up once."""
    total = "owed + reserved"
    level = " ".join(f"WHEN ({total}) * 100 >= cap::numeric * {n} THEN {n}" for n in (100, 85, 70))
    op.create_table(
        "exposure",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("reserve", sa.BigInteger(), nullable=True),
        sa.Column("owed", sa.Numeric(38, 0), nullable=False),
        sa.Column("reserved", sa.Numeric(38, 0), nullable=False),
        sa.Column("used", sa.Numeric(38, 0), sa.Computed(total, persisted=True), nullable=False),
        sa.Column(
            "level",
            sa.Integer(),
            sa.Computed(f"CASE WHEN {total} <= 0 THEN 0 {level} ELSE 0 END", persisted=True),
            nullable=False,
        ),
        sa.CheckConstraint("cap >= 0 AND reserve >= 0", name=op.f("ck_exposure_cap")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_exposure_reserved")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_exposure")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "exposure_alert",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("used", sa.Numeric(38, 0), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id", name=op.f("pk_exposure_alert")),
    )
    op.add_column("obligation", sa.Column("past_cap", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("pending_grant", sa.Column("room_of", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_pending_grant_room",
        "pending_grant",
        ["room_of", "granted_at"],
        postgresql_where=sa.text("NOT done AND room_of IS NOT NULL"),
    )
    op.execute(_NO_CAP)
    if currency := op.get_bind().scalar(sa.text("SELECT settlement_currency FROM alliance")):
        unit = 10 ** (6 - (Currency(currency).exponent or 0))
        op.execute(sa.text(_POSITIONS).bindparams(unit=unit))
