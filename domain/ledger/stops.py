"""Stopping holders whose books differ, so that nothing is built on a wrong figure; and releasing them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from domain.ledger import store

AT_ONCE = 1000
"""Holders a transaction: each is locked."""

_ACCOUNTS = """
    INSERT INTO account (holder_id, kind, currency, posted)
    SELECT DISTINCT holder_id, 'POINTS', currency, 0
    FROM (SELECT holder_id, currency FROM lot WHERE holder_id = ANY($1)
          UNION SELECT holder_id, currency FROM entry WHERE holder_id = ANY($1)) AS moved
    ON CONFLICT DO NOTHING"""
_STOP = """
    WITH stopped AS (UPDATE account SET stopped = true WHERE holder_id = ANY($1) AND NOT stopped RETURNING holder_id)
    INSERT INTO holder_stop (holder_id, stopped_at, who, why)
    SELECT DISTINCT holder_id, $2::timestamptz, $3, $4 FROM stopped
    ON CONFLICT DO NOTHING RETURNING holder_id"""
_RELEASE = """
    WITH released AS (UPDATE account SET stopped = false WHERE holder_id = $1 AND stopped)
    UPDATE holder_stop SET released_at = $2, released_by = $3 WHERE holder_id = $1 AND released_at IS NULL
    RETURNING holder_id"""


async def stop(
    connection: asyncpg.Connection, holders: Collection[UUID], *, who: str, why: str, as_of: datetime
) -> int:
    """Stop posting to these holders, in transactions of its own; what is being posted ends first. Returns how many are
    stopped that were not: those without accounts, lots and entries have nothing to stop."""
    count, asked = 0, sorted(holders)
    for first in range(0, len(asked), AT_ONCE):
        some = asked[first : first + AT_ONCE]
        async with connection.transaction():
            await store.lock(connection, some, ())
            await connection.execute(_ACCOUNTS, some)
            count += len(await connection.fetch(_STOP, some, as_of, who, why))
    return count


async def release(connection: asyncpg.Connection, holder_id: UUID, *, who: str, as_of: datetime) -> bool:
    """Let a holder post again, in the caller's transaction; False if it was not stopped."""
    await store.lock(connection, [holder_id], ())
    return bool(await connection.fetch(_RELEASE, holder_id, as_of, who))
