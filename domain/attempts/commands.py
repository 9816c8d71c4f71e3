"""Counting attempts. One that is refused does not count: roll it back, and the window ends when it would have."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts.model import AttemptCount
from domain.privacy.vault import digest


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many attempts within `span` of the first."""

    kind: str
    most: int
    span: timedelta


# In one order, so that two callers never wait for each other.
_COUNT = text("""
    INSERT INTO attempt_count (kind, key, until, count)
    SELECT kind, key, until, 1
    FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS bytea[]), CAST(:untils AS timestamptz[])) AS a (kind, key, until)
    ORDER BY kind, key
    ON CONFLICT (kind, key) DO UPDATE SET
        count = CASE WHEN attempt_count.until <= :now THEN 1 ELSE attempt_count.count + 1 END,
        until = CASE WHEN attempt_count.until <= :now THEN excluded.until ELSE attempt_count.until END
    RETURNING kind, until, count
""")


async def count(session: AsyncSession, limited: Sequence[tuple[Limit, str]], now: datetime) -> int:
    """Count an attempt against limits, each with whom it is for; how many seconds to wait, 0: go on."""
    columns = {
        "kinds": [limit.kind for limit, _ in limited],
        "keys": [digest(session, f"attempt {limit.kind}", who) for limit, who in limited],
        "untils": [now + limit.span for limit, _ in limited],
    }
    most = {limit.kind: limit.most for limit, _ in limited}
    waits = [
        until - now
        for kind, until, count in await session.execute(_COUNT, columns | {"now": now})
        if count > most[kind]
    ]
    return max(1, math.ceil(max(waits).total_seconds())) if waits else 0


_WAIT = text("""
    SELECT max(until) FROM attempt_count WHERE kind = :kind AND key = :key AND until > :now AND count >= :most
""")


async def wait_of(session: AsyncSession, limit: Limit, who: str, now: datetime) -> int:
    """How many seconds to wait before another attempt, where failures alone are counted; 0: none."""
    key = digest(session, f"attempt {limit.kind}", who)
    until = await session.scalar(_WAIT, {"kind": limit.kind, "key": key, "now": now, "most": limit.most})
    return 0 if until is None else math.ceil((until - now).total_seconds())


async def forget_counts(session: AsyncSession, as_of: datetime) -> None:
    """Delete windows that are over."""
    await session.execute(delete(AttemptCount).where(AttemptCount.until < as_of))
