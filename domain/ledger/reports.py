"""What all wallets of a currency hold, now or at a past instant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput
from domain.ledger.archived import archived_since
from domain.ledger.asof import BYS, LIVE, past
from domain.ledger.statements import By


@dataclass(slots=True)
class Balances:
    """What there is of a currency: `outstanding` points (`held` ones among them) of `holders`, and what is owed.

    `ending` are the outstanding points by the month in which they end, as 2027-03, in the issuer's time zone, and by
    '' those that never do. A held lot past its date is still outstanding.
    """

    currency: str
    outstanding: int = 0
    held: int = 0
    pending: int = 0
    debt: int = 0
    holders: int = 0
    ending: dict[str, int] = field(default_factory=dict)


_HOLDERS = """
    SELECT holder_id, '' AS currency, CAST(:as_of AS timestamptz) AS as_of, 1 AS n
    FROM account WHERE kind IN ('POINTS', 'PENDING') AND currency = ANY(CAST(:currencies AS text[])) GROUP BY holder_id
"""


def _statement(by: By) -> TextClause:
    return text(f"""
        WITH {past(by, _HOLDERS)},
        zoned AS (
            SELECT * FROM unnest(CAST(:currencies AS text[]), CAST(:zones AS text[])) AS z (currency, zone)
        ),
        kept AS (
            SELECT l.currency, l.holder_id, l.held, CASE WHEN {LIVE} THEN l.remaining ELSE l.held END AS points,
                   coalesce(to_char((l.expires_at - interval '1 microsecond') AT TIME ZONE z.zone, 'YYYY-MM'), '')
                   AS month
            FROM past_lot l JOIN zoned z USING (currency)
        )
        SELECT z.currency, k.month, coalesce(k.points, 0), coalesce(k.held, 0), coalesce(k.holders, 0),
               coalesce(d.points, 0), coalesce(p.points, 0)
        FROM zoned z
        LEFT JOIN (SELECT currency, month, sum(points)::bigint AS points, sum(held)::bigint AS held,
                          count(DISTINCT holder_id) AS holders
                   FROM kept WHERE points > 0 GROUP BY GROUPING SETS ((currency), (currency, month))) k USING (currency)
        LEFT JOIN past_debt d USING (currency)
        LEFT JOIN (SELECT currency, sum(points)::bigint AS points FROM past_pending GROUP BY 1) p USING (currency)
        ORDER BY z.currency, k.month
    """)  # noqa: S608 - no value is formatted in


_BALANCES = {by: _statement(by) for by in BYS}


async def balances(session: AsyncSession, zones: Mapping[str, str], as_of: datetime, by: By) -> list[Balances]:
    """What there is of these currencies at `as_of`, each with its issuer's time zone (IANA), in the order of codes.

    Raises InvalidInput for an `as_of` before something that was archived.
    """
    if await archived_since(session, None, as_of):
        raise InvalidInput(reason="what moved after asOf was archived", path=("asOf",))
    found = {code: Balances(code) for code in sorted(zones)}
    values = {"currencies": list(zones), "zones": list(zones.values()), "as_of": as_of}
    for currency, month, points, held, holders, debt, pending in await session.execute(_BALANCES[by], values):
        into = found[currency]
        if month is None:
            into.outstanding, into.held, into.holders, into.debt, into.pending = points, held, holders, debt, pending
        else:
            into.ending[month] = points
    return list(found.values())
