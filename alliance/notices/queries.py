"""Points whose holders are to be told that they end, and those whose date has to move, over all holders (L2, R7)."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.due import going
from domain.ledger.extensions import NoticeWindow, stands
from domain.ledger.queries import ENDS


@dataclass(frozen=True, slots=True)
class Ending:
    """Points of a wallet that end together; `no_channel`: the last report says that nobody can be reached."""

    holder_id: uuid.UUID
    ends: datetime
    points: int
    no_channel: bool


_ENDING = """
    SELECT l.holder_id, l.ends, sum(l.remaining - l.held)::bigint AS points, coalesce(n.no_channel, false)
    FROM (SELECT l.holder_id, l.currency, l.remaining, l.held, {ends} AS ends FROM lot l
          WHERE NOT l.spent AND l.remaining > l.held AND l.currency = :currency AND l.expires_at IS NOT NULL
            AND l.expires_at <= :latest AND l.holder_id >= :first
            AND (CAST(:before AS uuid) IS NULL OR l.holder_id < CAST(:before AS uuid))
            AND (CAST(:after AS uuid) IS NULL OR l.holder_id > CAST(:after AS uuid))) l
    LEFT JOIN LATERAL (
        SELECT n.id, (SELECT r.outcome = 'NO_CHANNEL' FROM notice_report r
                      WHERE r.holder_id = n.holder_id AND r.notice_id = n.id ORDER BY r.id DESC LIMIT 1) AS no_channel,
               EXISTS (SELECT FROM notice_report r WHERE r.holder_id = n.holder_id AND r.notice_id = n.id
                       AND {stands} AND r.happened_at >= n.opens_at
                       AND r.happened_at <= n.closes_at) AS told
        FROM notice n WHERE n.holder_id = l.holder_id AND n.kind = 'EXPIRY' AND n.currency = l.currency
          AND n.due_at = l.ends
    ) n ON true
    WHERE l.ends <= :latest AND {which} AND {going}
    GROUP BY 1, 2, 4 ORDER BY 1, 2
"""
_PAGE = "SELECT * FROM ({}) due WHERE holder_id IN (SELECT holder_id FROM ({}) p GROUP BY 1 ORDER BY 1 LIMIT :size)"


def _paged(which: str) -> str:
    ending = _ENDING.format(ends=ENDS, which=which, going=going("l.holder_id"), stands=stands("r"))
    return _PAGE.format(ending, ending) + " ORDER BY holder_id, ends"


_TO_TELL = text(_paged("n.id IS NULL AND l.ends > :closed"))
_UNTOLD = text(_paged("n.told IS NOT TRUE AND (l.ends < :closed OR n.no_channel)"))


_CUT = text("""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM (
            SELECT DISTINCT holder_id FROM lot
            WHERE NOT spent AND remaining > held AND currency = :currency AND expires_at <= :latest
        ) ending
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")


async def cut_holders(
    session: AsyncSession, currency: str, window: NoticeWindow, as_of: datetime, size: int
) -> Sequence[uuid.UUID]:
    """The first of every `size` holders, by id, who may have points that end soon: where ranges begin."""
    values = {"currency": currency, "latest": as_of + window.longest, "size": size}
    return (await session.scalars(_CUT, values)).all()


@dataclass(frozen=True, slots=True)
class Page:
    """`size` holders after one, of those from `first` to before `before` who are not stopped."""

    first: uuid.UUID
    before: uuid.UUID | None
    after: uuid.UUID | None
    size: int


async def to_tell(
    session: AsyncSession, currency: str, window: NoticeWindow, as_of: datetime, page: Page
) -> Sequence[Ending]:
    """Points that end within the window from `as_of` on, of which there is no notice."""
    rows = await session.execute(_TO_TELL, _values(currency, window, as_of, page))
    return [Ending(*row) for row in rows]


async def untold(
    session: AsyncSession, currency: str, window: NoticeWindow, as_of: datetime, page: Page
) -> Sequence[Ending]:
    """Points whose window closed without a delivery, or whose holder cannot be reached."""
    rows = await session.execute(_UNTOLD, _values(currency, window, as_of, page))
    return [Ending(*row) for row in rows]


def _values(currency: str, window: NoticeWindow, as_of: datetime, page: Page) -> dict[str, Any]:
    moments = {"latest": as_of + window.longest, "closed": as_of + window.shortest}
    return {"currency": currency} | moments | asdict(page)
