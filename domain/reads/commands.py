"""Keeping who read what, and finding what is unusual in it. In the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.reads.model import PersonalRead, Reader, ReadKind

FEWEST = 100
"""Members in an hour that nobody is asked about."""
TIMES = 3
"""How often what is usual a client may read without being asked about."""
LOOKED_BACK = timedelta(days=28)
"""From how long before an hour what is usual is taken."""

# What is usual: of the hours in which the client read anything, what nineteen of twenty stayed within.
_UNUSUAL = text("""
    WITH hourly AS (
        SELECT client_id, date_trunc('hour', read_at, 'UTC') AS hour, count(DISTINCT holder_id) AS members
        FROM personal_read
        WHERE client_id IS NOT NULL AND read_at >= :since AND read_at < :until
        GROUP BY 1, 2
    ), usual AS (
        SELECT client_id, percentile_disc(0.95) WITHIN GROUP (ORDER BY members) AS members
        FROM hourly WHERE hour < :hour GROUP BY 1
    )
    INSERT INTO read_alert (client_id, hour, members, usual, raised_at)
    SELECT h.client_id, h.hour, h.members, coalesce(u.members, 0), :as_of
    FROM hourly h LEFT JOIN usual u USING (client_id)
    WHERE h.hour = :hour AND h.members > greatest(:fewest, :times * coalesce(u.members, 0))
    ON CONFLICT (client_id, hour) DO UPDATE SET members = excluded.members WHERE read_alert.members < excluded.members
    RETURNING client_id, members, usual
""")


async def note_reads(
    session: AsyncSession, reader: Reader, holders: Sequence[UUID], what: ReadKind, read_at: datetime
) -> None:
    """Keep that somebody reads data of these holders: one statement."""
    if holders:
        about = asdict(reader) | {"what": what.value, "read_at": read_at}
        await session.execute(
            insert(PersonalRead), [about | {"holder_id": holder_id, "id": new_id()} for holder_id in holders]
        )


async def raise_alerts(session: AsyncSession, as_of: datetime) -> Sequence[tuple[UUID, int, int]]:
    """Look at the hour that is on, and at the one before: the clients that read more than is usual for them, each with
    how many members' data and what is usual. Who was found before is found again only with more."""
    found: list[tuple[UUID, int, int]] = []
    for back in (timedelta(hours=1), timedelta(0)):
        hour = as_of.replace(minute=0, second=0, microsecond=0) - back
        named = {"hour": hour, "since": hour - LOOKED_BACK, "until": hour + timedelta(hours=1), "as_of": as_of}
        rows = await session.execute(_UNUSUAL, named | {"fewest": FEWEST, "times": TIMES})
        found += [(client_id, members, usual) for client_id, members, usual in rows]
    return found
