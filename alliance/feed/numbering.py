"""Giving events their number: in the sealer's transaction, in one sequence with the operations that it seals.

Numbers are given only to what transactions wrote that are older than every running one. So nothing can come to be
before what has a number, and whoever goes on after a number misses nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

CHANNEL = "tessera_feed"
"""Told by the sealer once for each block; whoever follows the sequence need not poll."""

FEED = UUID(int=0)
"""What it is told with: the sequence itself."""

# What has a number already (after a restore) is left out. The last one that has a number says where to go on.
_WAITING = """
    SELECT e.holder_id, e.id, e.xid FROM event e
    WHERE e.xid >= coalesce((SELECT e.xid FROM event_number n JOIN event e ON e.holder_id = n.holder_id
                             AND e.id = n.event_id ORDER BY n.position DESC LIMIT 1), '-9223372036854775808'::bigint)
      AND e.xid < $1
      AND (SELECT n.position FROM event_number n WHERE n.holder_id = e.holder_id AND n.event_id = e.id) IS NULL
    ORDER BY e.xid, e.id, e.holder_id LIMIT $2"""
_NUMBERED = "SELECT position - leaf + 1 FROM event_number ORDER BY position DESC LIMIT 1"

# After a restore, as with operations; what has a number comes before what has none, since the last one says where to
# go on.
RENUMBER_EVENTS = """
    UPDATE event e SET xid = ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - CASE
        WHEN (SELECT n.position FROM event_number n WHERE n.holder_id = e.holder_id AND n.event_id = e.id) IS NULL
        THEN 4611686018427387904 ELSE 6917529027641081856 END
    WHERE xid >= $1"""


class Waiting(NamedTuple):
    """An event without a number, and the transaction that wrote it."""

    holder_id: UUID
    id: UUID
    xid: int


async def waiting(connection: asyncpg.Connection, running: int, limit: int) -> list[Waiting]:
    """Up to `limit` events of transactions before `running` that have no number, in the order they will have."""
    return [Waiting(*row) for row in await connection.fetch(_WAITING, running, limit)]


async def number(connection: asyncpg.Connection, events: Sequence[Waiting], size: int, sealed: Sequence[int]) -> None:
    """Number these events: each after the operations of its transaction and of earlier ones.

    `size` is that of the log before the block, `sealed` are the transactions of the operations that the block adds.
    """
    earlier = await connection.fetchval(_NUMBERED) or 0
    rows = []
    for count, event in enumerate(events, earlier):
        leaf = size + bisect_right(sealed, event.xid)
        rows.append((leaf + count, leaf, event.holder_id, event.id))
    columns = ("position", "leaf", "holder_id", "event_id")
    await connection.copy_records_to_table("event_number", records=rows, columns=columns)
