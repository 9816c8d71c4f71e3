"""Members are reminded that points of theirs end, as many days ahead as the policy of the points says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages.planning import Happening, plan
from alliance.notices.queries import Page
from domain.ledger.due import going
from domain.ledger.queries import ENDS
from domain.messages.model import MessageKind
from domain.programs.catalogue import Catalogue, Currency


def spans(currency: Currency, as_of: datetime) -> list[tuple[datetime, datetime, int]]:
    """When points end that are reminded of now, (after, until, days ahead): of several days that have passed, the last.

    The day on which the window of a notice opens is the notice's.
    """
    policy = currency.policy_at(as_of)
    days = sorted(policy.reminders)
    ends = [as_of + timedelta(days=count) for count in days]
    opens = policy.notice[1] if policy.notice is not None else None
    found = zip([as_of, *ends[:-1]], ends, days, strict=True) if days else ()
    return [span for span in found if span[2] != opens]


# A lot that slides ends when its wallet's clock says, and never before its own date: so the index finds it.
_DUE = text(f"""
    SELECT l.holder_id, l.ends, s.days, sum(l.remaining - l.held)::bigint AS points
    FROM (SELECT l.holder_id, l.remaining, l.held, {ENDS} AS ends FROM lot l
          WHERE NOT l.spent AND l.remaining > l.held AND l.currency = :currency AND l.expires_at IS NOT NULL
            AND l.expires_at <= :latest AND l.holder_id >= :first
            AND (CAST(:before AS uuid) IS NULL OR l.holder_id < CAST(:before AS uuid))) l
    JOIN unnest(CAST(:after AS timestamptz[]), CAST(:until AS timestamptz[]), CAST(:days AS integer[]))
         AS s (after, until, days) ON l.ends > s.after AND l.ends <= s.until
    WHERE {going("l.holder_id")}
      AND NOT EXISTS (SELECT FROM message m WHERE m.holder_id = l.holder_id
                      AND m.source = 'ends:' || :currency || ':' || extract(epoch FROM l.ends)::bigint || ':' || s.days)
    GROUP BY 1, 2, 3 ORDER BY 1, 2
""")  # noqa: S608


async def remind(session: AsyncSession, catalogue: Catalogue, currency: Currency, as_of: datetime, page: Page) -> int:
    """Add the reminders that are due to holders of a range; how many. What is there is not due again."""
    due = spans(currency, as_of)
    if not due or catalogue.merchants_by_id[currency.merchant_id].notifications is None:
        return 0
    values: dict[str, Any] = {"currency": currency.code, "first": page.first, "before": page.before}
    values |= {"latest": due[-1][1], "after": [span[0] for span in due], "until": [span[1] for span in due]}
    values["days"] = [span[2] for span in due]
    rows = (await session.execute(_DUE, values)).all()
    return await plan(session, catalogue, [_reminder(currency, *row) for row in rows], as_of)


def _reminder(currency: Currency, holder_id: UUID, ends: datetime, days: int, points: int) -> Happening:
    data = {"points": points, "currency": currency.code, "ends": ends.isoformat()}
    source = f"ends:{currency.code}:{int(ends.timestamp())}:{days}"
    return Happening(holder_id, currency.merchant_id, MessageKind.POINTS_EXPIRING, source, data)


_CUT = text("""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM (
            SELECT DISTINCT holder_id FROM lot
            WHERE NOT spent AND remaining > held AND currency = :currency AND expires_at <= :latest
        ) ending
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")


async def cut_holders(session: AsyncSession, currency: Currency, as_of: datetime, size: int) -> Sequence[UUID]:
    """The first of every `size` holders, by id, who may have points that end soon: where ranges begin."""
    due = spans(currency, as_of)
    if not due:
        return []
    values = {"currency": currency.code, "latest": due[-1][1], "size": size}
    return (await session.scalars(_CUT, values)).all()
