"""The daily report of rights: what was granted, used and cleared, what is out, and what should have returned."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class RightsLine:
    """Uses of one kind of right of a grantor, by where they moved (`at_id`): in the period, and (`outstanding` and
    after, at the grantor's own line alone) as they stood at its end.

    `owed` is what the grantor came to owe, in millionths. What has not returned to zero: `overdue` are uses past their
    date that were not expired, `over` are bookings past their time that were not followed up.
    """

    grantor_id: uuid.UUID
    kind: str
    at_id: uuid.UUID
    granted: int
    used: int
    no_shows: int
    cancelled: int
    expired: int
    restored: int
    owed: int
    outstanding: int
    booked: int
    overdue: int
    over: int

    @property
    def returned(self) -> bool:
        """Whether all that should have returned has."""
        return not self.overdue and not self.over


# What the operations of the period did, where; and what stood at its end, at the grantor's.
_REPORT = text("""
    WITH moves AS (
        SELECT r.grantor_id, r.kind, o.merchant_id AS at_id, o.kind AS what, abs(m.amount) AS uses,
               coalesce((SELECT sum(b.amount) FROM obligation b
                         WHERE b.holder_id = m.holder_id AND b.operation_id = m.operation_id AND b.kind = 'RIGHT'), 0)
                   AS owed
        FROM right_move m
        JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
        JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id
        WHERE o.as_of >= :first AND o.as_of < :before
    ), stood AS (
        SELECT r.grantor_id, r.kind, r.grantor_id AS at_id, sum(m.amount) AS outstanding,
               sum(m.amount) FILTER (WHERE r.expires_at <= :before) AS past
        FROM right_move m
        JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
        JOIN member_right r ON r.holder_id = m.holder_id AND r.id = m.right_id
        WHERE o.as_of < :before GROUP BY 1, 2
    ), set_aside AS (
        SELECT r.grantor_id, r.kind, r.grantor_id AS at_id, count(*) AS booked,
               count(*) FILTER (WHERE b.expires_at <= :before) AS over,
               count(*) FILTER (WHERE b.expires_at > :before AND r.expires_at <= :before) AS waiting
        FROM right_booking b JOIN member_right r ON r.holder_id = b.holder_id AND r.id = b.right_id
        WHERE b.open AND b.booked_at < :before GROUP BY 1, 2
    ), moved AS (
        SELECT grantor_id, kind, at_id,
               sum(uses) FILTER (WHERE what = 'RIGHT_GRANT') AS granted,
               sum(uses) FILTER (WHERE what = 'RIGHT_USE') AS used,
               sum(uses) FILTER (WHERE what = 'RIGHT_NO_SHOW') AS no_shows,
               sum(uses) FILTER (WHERE what = 'RIGHT_CANCEL') AS cancelled,
               sum(uses) FILTER (WHERE what = 'RIGHT_EXPIRE') AS expired,
               sum(uses) FILTER (WHERE what = 'RIGHT_RESTORE') AS restored, sum(owed) AS owed
        FROM moves GROUP BY 1, 2, 3
    )
    SELECT grantor_id, kind, at_id, granted, used, no_shows, cancelled, expired, restored, owed,
           outstanding, booked, past - coalesce(waiting, 0) AS overdue, over
    FROM moved FULL JOIN stood USING (grantor_id, kind, at_id) FULL JOIN set_aside USING (grantor_id, kind, at_id)
    WHERE (CAST(:party AS uuid) IS NULL OR CAST(:party AS uuid) IN (grantor_id, at_id))
      AND (granted IS NOT NULL OR used IS NOT NULL OR no_shows IS NOT NULL OR cancelled IS NOT NULL
           OR expired IS NOT NULL OR restored IS NOT NULL OR outstanding <> 0 OR booked <> 0)
    ORDER BY 1, 2, at_id <> grantor_id, 3
""")


async def report(
    session: AsyncSession, first: datetime, before: datetime, party_id: uuid.UUID | None = None
) -> list[RightsLine]:
    """What became of rights from `first` to before `before`, of all, or of one merchant: what it granted, and what was
    used at its own."""
    rows = await session.execute(_REPORT, {"first": first, "before": before, "party": party_id})
    return [RightsLine(*row[:3], *(int(figure or 0) for figure in row[3:])) for row in rows]
