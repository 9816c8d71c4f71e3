"""Rings of gifts (L5): points that went from member to member and came back to whoever gave first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

LONGEST = range(2, 9)
"""How many members a ring may have that is looked for: longer walks cost too much, and prove little."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Members who gave to the next one, the last to the first; it begins with the smallest id.

    `points` is what can have gone all the way round: the least that one gave to the next. `given` is all that they gave
    each other so, in `gifts` gifts, from `first_at` to `last_at`.
    """

    members: tuple[uuid.UUID, ...]
    currency: str
    points: int
    given: int
    gifts: int
    first_at: datetime
    last_at: datetime


# What went through a pool was given by who put it in to who took it out: the lots say so.
# Each ring is walked once, from its smallest id. Who only gives or only receives is in none, and is left out before.
_RINGS = text("""
    WITH RECURSIVE given AS (
        SELECT e.holder_id, e.counter_holder_id, e.operation_id, e.currency, -e.amount AS points, o.kind, o.as_of
        FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
        WHERE e.counter_account = 'POINTS' AND e.amount < 0 AND o.kind IN ('GIFT', 'POOL_OUT')
          AND o.as_of >= :since AND o.as_of < :until
          AND NOT EXISTS (SELECT FROM operation r WHERE r.holder_id = o.holder_id AND r.reverses = o.id)
    ), gift AS (
        SELECT giver, receiver, currency, count(DISTINCT operation_id) AS gifts, sum(points)::bigint AS points,
               min(as_of) AS first_at, max(as_of) AS last_at
        FROM (
            SELECT holder_id AS giver, counter_holder_id AS receiver, currency, operation_id, points, as_of
            FROM given WHERE kind = 'GIFT'
            UNION ALL
            SELECT p.source_holder_id, l.holder_id, l.currency, g.operation_id, l.granted, g.as_of
            FROM given g JOIN lot l ON l.holder_id = g.counter_holder_id AND l.operation_id = g.operation_id
            JOIN lot p ON p.holder_id = l.source_holder_id AND p.id = l.source_lot_id
            WHERE g.kind = 'POOL_OUT' AND p.source_holder_id <> l.holder_id
        ) AS moved
        GROUP BY 1, 2, 3
    ), edge AS (
        SELECT * FROM gift g
        WHERE EXISTS (SELECT FROM gift b WHERE b.receiver = g.giver AND b.currency = g.currency)
          AND EXISTS (SELECT FROM gift n WHERE n.giver = g.receiver AND n.currency = g.currency)
    ), walk AS (
        SELECT giver AS root, receiver AS here, currency, ARRAY[giver] AS path, points AS least, points AS given, gifts,
               first_at, last_at, false AS closed
        FROM edge WHERE receiver > giver
        UNION ALL
        SELECT w.root, e.receiver, w.currency, w.path || e.giver, least(w.least, e.points), w.given + e.points,
               w.gifts + e.gifts, least(w.first_at, e.first_at), greatest(w.last_at, e.last_at), e.receiver = w.root
        FROM walk w JOIN edge e ON e.giver = w.here AND e.currency = w.currency
        WHERE NOT w.closed AND cardinality(w.path) < :longest
          AND (e.receiver = w.root OR (e.receiver > w.root AND e.receiver <> ALL(w.path)))
    )
    SELECT path, currency, least, given, gifts, first_at, last_at
    FROM walk WHERE closed ORDER BY least DESC, path, currency LIMIT :size
""")


async def rings(session: AsyncSession, since: datetime, until: datetime, longest: int, size: int) -> Sequence[Ring]:
    """The `size` rings of at most `longest` members in which most points went round, of gifts made in that time.

    A gift that was taken back is in none.
    """
    values = {"since": since, "until": until, "longest": longest, "size": size}
    return [Ring(tuple(path), *rest) for path, *rest in await session.execute(_RINGS, values)]
