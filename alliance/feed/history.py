"""What became of a member, as it was told when it happened: the events that lie under them, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed.model import Happened
from alliance.feed.queries import event_of

_PAGE = """
    SELECT x.* FROM unnest(CAST(:members AS uuid[])) WITH ORDINALITY AS w (holder_id, n)
    CROSS JOIN LATERAL (
        SELECT 0 AS position, e.id, e.holder_id, e.kind, e.data, e.seen_by, e.booked_at FROM event e
        WHERE e.holder_id = w.holder_id AND e.kind = ANY(CAST(:kinds AS text[]))
          AND (CAST(:viewer AS uuid) IS NULL OR e.seen_by ? CAST(:viewer AS text))
          AND (CAST(:older_than AS uuid) IS NULL OR e.id < CAST(:older_than AS uuid))
          AND (CAST(:newer_than AS uuid) IS NULL OR e.id > CAST(:newer_than AS uuid))
        ORDER BY e.id {order} LIMIT :size
    ) x ORDER BY w.n, x.id {order}
"""
_PAGES = {backward: text(_PAGE.format(order="ASC" if backward else "DESC")) for backward in (False, True)}
_COUNT = text("""
    SELECT holder_id, count(*) FROM event
    WHERE holder_id = ANY(CAST(:members AS uuid[])) AND kind = ANY(CAST(:kinds AS text[]))
      AND (CAST(:viewer AS uuid) IS NULL OR seen_by ? CAST(:viewer AS text))
    GROUP BY 1
""")


@dataclass(frozen=True, slots=True)
class Change:
    """An event, and why: a word that is kept with it, and not told to merchants."""

    happened: Happened
    reason: str | None


async def history(
    session: AsyncSession,
    members: Sequence[UUID],
    kinds: Sequence[str],
    viewer_id: UUID | None,
    size: int,
    older_than: UUID | None,
    newer_than: UUID | None,
    *,
    backward: bool = False,
) -> dict[UUID, list[Change]]:
    """Up to `size` changes of each member, newest first (oldest first if `backward`), between two ids.

    A merchant, `viewer_id`, sees those of its own side.
    """
    values = {"members": list(members), "kinds": list(kinds), "viewer": viewer_id, "size": size}
    values |= {"older_than": older_than, "newer_than": newer_than}
    found: dict[UUID, list[Change]] = {id_: [] for id_ in members}
    for row in await session.execute(_PAGES[backward], values):
        found[row.holder_id].append(Change(event_of(row), row.data.get("reason")))
    return found


async def counts(
    session: AsyncSession, members: Sequence[UUID], kinds: Sequence[str], viewer_id: UUID | None
) -> dict[UUID, int]:
    """How many changes each has."""
    values = {"members": list(members), "kinds": list(kinds), "viewer": viewer_id}
    found = dict.fromkeys(members, 0)
    for holder_id, count in await session.execute(_COUNT, values):
        found[holder_id] = count
    return found
