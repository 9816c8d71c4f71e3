"""Deriving stages, for ranges of members: one statement a range, and an event for each that changed."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.ledger.aliases import all_of
from domain.programs.living import StageTerms
from domain.stages.model import ALLIANCE

_CUT = text("""
    SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM member WHERE status <> 'CLOSED') numbered
    WHERE n % :size = 0 ORDER BY id
""")


async def cut_members(session: AsyncSession, size: int) -> Sequence[uuid.UUID]:
    """The first of every `size` members, by id: where ranges begin."""
    return (await session.scalars(_CUT, {"size": size})).all()


# Who buys again after having been away is ACTIVE since the first purchase of their return.
_DERIVE = text(f"""
    WITH within AS MATERIALIZED (
        SELECT id, joined_at FROM member
        WHERE id >= :first AND (CAST(:before AS uuid) IS NULL OR id < CAST(:before AS uuid)) AND status <> 'CLOSED'
    ), terms AS (
        SELECT * FROM unnest(CAST(:merchants AS uuid[]), CAST(:news AS interval[]), CAST(:dormants AS interval[]),
                             CAST(:losts AS interval[])) AS t (merchant_id, new, dormant, lost)
    ), place AS (
        SELECT id AS holder_id, :alliance AS merchant_id, joined_at FROM within
        UNION ALL
        SELECT holder_id, merchant_id, m.joined_at FROM membership m JOIN within ON within.id = m.holder_id
    ), person AS (
        SELECT id AS holder_id, id AS person_id FROM within
        UNION ALL
        SELECT a.holder_id, a.survivor_id FROM member_alias a JOIN within ON within.id = a.survivor_id
    ), bought AS (
        SELECT p.person_id AS holder_id, o.merchant_id, max(o.occurred_at) AS at
        FROM operation o JOIN person p ON p.holder_id = o.holder_id
        WHERE o.kind IN ('EARN', 'REDEEM') AND o.occurred_at <= :as_of GROUP BY 1, 2
    ), last AS (
        SELECT * FROM bought UNION ALL SELECT holder_id, :alliance, max(at) FROM bought GROUP BY 1
    ), stands AS (
        SELECT p.holder_id, p.merchant_id, p.joined_at, l.at AS bought_at, t.new, t.dormant, t.lost,
               greatest(p.joined_at, l.at) AS seen, was.stage AS was, was.since AS was_since,
               was.bought_at AS was_bought
        FROM place p JOIN terms t USING (merchant_id)
        LEFT JOIN last l USING (holder_id, merchant_id)
        LEFT JOIN member_stage was USING (holder_id, merchant_id)
    ), found AS (
        SELECT *, CASE WHEN :as_of >= seen + lost THEN 'LOST' WHEN :as_of >= seen + dormant THEN 'DORMANT'
                       WHEN :as_of < joined_at + new THEN 'NEW' ELSE 'ACTIVE' END AS stage
        FROM stands
    )
    INSERT INTO member_stage AS kept (holder_id, merchant_id, stage, since, bought_at)
    SELECT f.holder_id, f.merchant_id, f.stage,
           CASE WHEN f.stage = f.was THEN f.was_since
                WHEN f.stage = 'LOST' THEN f.seen + f.lost
                WHEN f.stage = 'DORMANT' THEN f.seen + f.dormant
                WHEN f.stage = 'NEW' THEN f.joined_at
                WHEN f.was IN ('DORMANT', 'LOST') THEN coalesce(
                    (SELECT min(o.occurred_at) FROM operation o
                     WHERE o.holder_id = {all_of("f.holder_id")} AND o.kind IN ('EARN', 'REDEEM')
                       AND o.occurred_at <= :as_of
                       AND f.merchant_id IN (o.merchant_id, :alliance) AND o.occurred_at > f.was_since), f.seen)
                ELSE f.joined_at + f.new END,
           f.bought_at
    FROM found f
    WHERE f.was IS DISTINCT FROM f.stage OR f.was_bought IS DISTINCT FROM f.bought_at
    ORDER BY f.holder_id, f.merchant_id
    ON CONFLICT (holder_id, merchant_id) DO UPDATE
        SET stage = excluded.stage, since = excluded.since, bought_at = excluded.bought_at
    RETURNING kept.holder_id, kept.merchant_id, old.stage AS before, new.stage, new.since
""")  # noqa: S608


async def derive(
    session: AsyncSession,
    terms: Mapping[uuid.UUID, StageTerms],
    as_of: datetime,
    first: uuid.UUID,
    before: uuid.UUID | None,
) -> int:
    """Bring the stages of members from `first` to before `before` up to date; how many changed. Again: none.

    `terms` by merchant, ALLIANCE among them; where there are none for a place nobody has a stage there. A purchase is
    an earn or a redemption, whatever came back of it, at the time it happened, theirs or of who was merged into them.
    Who has no stage yet gets theirs without an event.
    """
    days = {
        "news": [one.new for one in terms.values()],
        "dormants": [one.dormant for one in terms.values()],
        "losts": [one.lost for one in terms.values()],
    }
    values: dict[str, Any] = {name: [timedelta(days=one) for one in listed] for name, listed in days.items()}
    values |= {"merchants": list(terms), "as_of": as_of, "first": first, "before": before, "alliance": ALLIANCE}
    changed = [row for row in await session.execute(_DERIVE, values) if row.before != row.stage]
    await add_events(session, [_event(row) for row in changed if row.before is not None])
    return len(changed)


def _event(row: Any) -> NewEvent:
    data = {"from": row.before, "to": row.stage, "since": row.since.isoformat()}
    if row.merchant_id == ALLIANCE:
        return NewEvent(row.holder_id, EventKind.MEMBER_STAGE_CHANGED, data)
    data["merchant"] = str(row.merchant_id)
    return NewEvent(row.holder_id, EventKind.MEMBER_STAGE_CHANGED, data, (row.merchant_id,))
