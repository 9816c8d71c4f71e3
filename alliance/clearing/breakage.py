"""Breakage: points that ended, by issuer, by who had paid for them, and by month."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput
from domain.ledger.archived import archived_since


@dataclass(frozen=True, slots=True)
class Breakage:
    """Points of a currency that ended in a month (as 2027-03), less those that came back in it by hand.

    `value` is what they had been issued at, in 10^-8 of the settlement currency. `owed` is what the funder comes to owe
    the issuer because they ended, in millionths; below zero, the issuer owes the funder.
    """

    currency: str
    issuer_id: uuid.UUID
    funder_id: uuid.UUID
    month: str
    points: int
    value: int
    owed: int


# Points that come back are new lots, which name those they came from.
_BREAKAGE = text("""
    WITH moved AS (
        SELECT o.holder_id, o.id, l.currency, l.issuer_id, l.funder_id, o.as_of, -a.amount AS points, l.price
        FROM operation o
        JOIN allocation a ON a.holder_id = o.holder_id AND a.operation_id = o.id
        JOIN lot l ON l.holder_id = a.holder_id AND l.id = a.lot_id
        WHERE o.kind = 'EXPIRE' AND o.as_of >= :since AND o.as_of < :until
        UNION ALL
        SELECT o.holder_id, o.id, l.currency, l.issuer_id, l.funder_id, o.as_of, -n.granted, l.price
        FROM operation o
        JOIN lot n ON n.holder_id = o.holder_id AND n.operation_id = o.id
        JOIN lot l ON l.holder_id = n.source_holder_id AND l.id = n.source_lot_id
        WHERE o.kind = 'REINSTATE' AND o.as_of >= :since AND o.as_of < :until
    ), ended AS (
        SELECT o.holder_id, o.id, o.currency, o.issuer_id, o.funder_id, sum(o.points) AS points,
               sum(o.points::numeric * o.price) AS value, to_char(o.as_of AT TIME ZONE m.timezone, 'YYYY-MM') AS month
        FROM moved o JOIN merchant m ON m.id = o.issuer_id
        WHERE (o.as_of AT TIME ZONE m.timezone)::date >= :first AND (o.as_of AT TIME ZONE m.timezone)::date < :before
          AND (CAST(:merchant_id AS uuid) IS NULL OR CAST(:merchant_id AS uuid) IN (o.issuer_id, o.funder_id))
        GROUP BY o.holder_id, o.id, o.currency, o.issuer_id, o.funder_id, month
    )
    SELECT e.currency, e.issuer_id, e.funder_id, e.month, sum(e.points)::bigint, sum(e.value)::bigint,
           coalesce(sum(b.owed), 0)::bigint
    FROM ended e
    LEFT JOIN LATERAL (
        SELECT sum(CASE WHEN b.debtor_id = e.funder_id THEN b.amount ELSE -b.amount END) AS owed
        FROM obligation b
        WHERE b.holder_id = e.holder_id AND b.operation_id = e.id AND b.kind = 'BREAKAGE' AND b.currency = e.currency
          AND e.funder_id <> e.issuer_id AND e.funder_id IN (b.debtor_id, b.creditor_id)
    ) b ON true
    GROUP BY 1, 2, 3, 4 ORDER BY 4, 1, 3
""")


async def breakage(
    session: AsyncSession, first: date, before: date, merchant_id: uuid.UUID | None = None
) -> Sequence[Breakage]:
    """What ended from the day `first` to before `before`, days of its issuer, by the clock of expiry.

    With a merchant, of what it issued or paid for. Raises InvalidInput for an empty span, and for days of which
    something was archived.
    """
    if before <= first:
        raise InvalidInput(reason="must be after from; it is the first day that does not count", path=("to",))
    # No zone is further from UTC; the days of each issuer are cut out of it.
    since = datetime.combine(first, time(), ZoneInfo("Etc/GMT-14"))
    until = datetime.combine(before, time(), ZoneInfo("Etc/GMT+12"))
    if await archived_since(session, None, since):
        raise InvalidInput(reason="what moved since then was archived", path=("from",))
    values = {"since": since, "until": until, "first": first, "before": before, "merchant_id": merchant_id}
    return [Breakage(*row) for row in await session.execute(_BREAKAGE, values)]
