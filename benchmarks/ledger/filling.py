"""Many wallets, quickly: rows as the engine would have written them, so that `tessera verify` finds nothing."""

import asyncpg

_MEMBERS = """
    INSERT INTO member (id, number, status, joined_at)
    SELECT uuidv7(), lpad(n::text, 10, '0'), 'ACTIVE', now() FROM generate_series(1, $1::integer) AS n"""

# In the order in which it would have happened: first everybody's first purchase, then everybody's second.
_PURCHASES = """
    INSERT INTO purchase
    SELECT holder_id, uuidv7(), uuidv7(), n, code, merchant_id, $4::bigint, n * $4::bigint,
           now() + (n - $5::integer) * '1 day'::interval
    FROM generate_series(1, $3::integer) AS n, currency,
         (SELECT id AS holder_id FROM member ORDER BY id LIMIT $2) AS who
    WHERE code = $1 ORDER BY n, holder_id"""

_WRITE = """
    INSERT INTO operation (holder_id, id, kind, merchant_id, channel, order_ref, occurred_at, as_of, decisions)
    SELECT holder_id, operation_id, 'EARN', issuer_id, 'STORE', n::text, now(), now(),
           jsonb_build_array(jsonb_build_object('rule', 'base', 'version', 1, 'points', points))
    FROM purchase;

    INSERT INTO entry (holder_id, operation_id, seq, account, currency, amount, counter_holder_id, counter_account,
                       balance_after)
    SELECT holder_id, operation_id, 0, 'POINTS', currency, points, issuer_id, 'ISSUANCE', balance FROM purchase;

    INSERT INTO lot (holder_id, id, currency, operation_id, issuer_id, funder_id, granted, remaining, granted_at,
                     expires_at)
    SELECT holder_id, lot_id, currency, operation_id, issuer_id, issuer_id, points, points, now(), expires_at
    FROM purchase;

    INSERT INTO account (holder_id, kind, currency, posted)
    SELECT holder_id, 'POINTS', currency, max(balance) FROM purchase GROUP BY 1, 3 ORDER BY 1;

    INSERT INTO idempotency_key (client_id, subject, key, fingerprint, holder_id, operation_id, points)
    SELECT issuer_id, issuer_id, gen_random_uuid()::text, substr(sha256(uuid_send(operation_id)), 1, 16), holder_id,
           operation_id, points
    FROM purchase ORDER BY 3"""


async def add_members(connection: asyncpg.Connection, count: int) -> None:
    """So many members, whom nothing recognises."""
    await connection.execute(_MEMBERS, count)


async def fill(
    connection: asyncpg.Connection,
    currency: str,
    *,
    lots: int,
    points: int = 50,
    members: int | None = None,
    overdue: int = 0,
) -> None:
    """So many purchases, of so many points each, for all members or the first of them, who had none of this currency.

    The first lot expires tomorrow, the next the day after; all of them `overdue` days earlier, if some are to be due.
    """
    async with connection.transaction():
        await connection.execute(
            """CREATE TEMPORARY TABLE purchase (
                 holder_id uuid, operation_id uuid, lot_id uuid, n integer, currency text, issuer_id uuid,
                 points bigint, balance bigint, expires_at timestamptz) ON COMMIT DROP"""
        )
        await connection.execute(_PURCHASES, currency, members, lots, points, overdue)
        await connection.execute(_WRITE)
    await connection.execute("VACUUM (ANALYZE)")
