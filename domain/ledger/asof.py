"""Wallets as they were at a past instant: what is there now, without what came later.

So what a question costs grows with what happened since, and nothing that happened before need still be there.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.queries import Bound, LotRow, WalletFigures, WalletKey
from domain.ledger.statements import By

BYS: tuple[By, ...] = ("booked_at", "as_of")
HELD = {"booked_at": ("booked_at", "ended_at"), "as_of": ("held_at", "ended_as_of")}

_ASKED = """
    SELECT * FROM unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[]), CAST(:as_ofs AS timestamptz[]))
    WITH ORDINALITY AS w (holder_id, currency, as_of, n)
"""


def past(by: By, asked: str = _ASKED) -> str:
    """Common table expressions: `w`, the wallets asked for; `past_lot`, `past_debt`, `past_pending`, what was in them.

    `asked` selects holder_id, currency ('' for all), as_of and n, one row a holder and n. Expired lots are in it.
    """
    made, ended = HELD[by]
    return f"""
    w AS MATERIALIZED ({asked}),
    later AS MATERIALIZED (
        SELECT w.n, w.holder_id, o.id AS operation_id FROM w JOIN operation o ON o.holder_id = w.holder_id
        WHERE o.{by} > w.as_of
        UNION ALL
        SELECT w.n, w.holder_id, o.id
        FROM w JOIN entry g ON g.holder_id = w.holder_id AND g.counter_account = 'POINTS'
             AND g.counter_holder_id <> g.holder_id
        JOIN operation o ON o.holder_id = g.counter_holder_id AND o.id = g.operation_id
        WHERE o.{by} > w.as_of
    ),
    moved AS (
        SELECT later.n, a.lot_id, sum(a.amount) AS points
        FROM later JOIN allocation a USING (holder_id, operation_id) GROUP BY 1, 2
    ),
    set_aside AS (
        SELECT w.n, a.lot_id, sum(a.amount) AS points
        FROM w JOIN hold h ON h.holder_id = w.holder_id AND h.{made} <= w.as_of
             AND (h.status = 'OPEN' OR h.{ended} > w.as_of)
        JOIN hold_allocation a ON a.holder_id = h.holder_id AND a.hold_id = h.id GROUP BY 1, 2
    ),
    slid AS (
        SELECT later.n, m.sliding_id, min(m.moved_from) AS expires_at
        FROM later JOIN sliding_move m USING (holder_id, operation_id) GROUP BY 1, 2
    ),
    past_lot AS (
        SELECT w.n, w.as_of, l.id, l.granted, (l.remaining - coalesce(moved.points, 0))::bigint AS remaining,
               coalesce(set_aside.points, 0)::bigint AS held, l.granted_at,
               CASE WHEN l.sliding_id IS NULL THEN l.expires_at
                    ELSE coalesce(slid.expires_at, s.expires_at) END AS expires_at,
               l.issuer_id, l.operation_id, l.holder_id, l.currency
        FROM w JOIN lot l ON l.holder_id = w.holder_id AND w.currency IN ('', l.currency)
        LEFT JOIN moved ON moved.n = w.n AND moved.lot_id = l.id
        LEFT JOIN set_aside ON set_aside.n = w.n AND set_aside.lot_id = l.id
        LEFT JOIN sliding_expiry s ON s.holder_id = l.holder_id AND s.id = l.sliding_id
        LEFT JOIN slid ON slid.n = w.n AND slid.sliding_id = l.sliding_id
        WHERE NOT EXISTS (SELECT FROM later WHERE later.n = w.n AND later.operation_id = l.operation_id)
    ),
    past_debt AS (
        SELECT n, currency, sum(points)::bigint AS points
        FROM (SELECT w.n, a.currency, a.debt AS points FROM w JOIN account a ON a.holder_id = w.holder_id AND a.debt > 0
              UNION ALL
              SELECT later.n, d.currency, -d.points FROM later JOIN debt d USING (holder_id, operation_id)
              UNION ALL
              SELECT later.n, p.currency, p.points FROM later JOIN debt_payment p USING (holder_id, operation_id)
             ) AS owed
        GROUP BY 1, 2
    ),
    past_pending AS (
        SELECT n, holder_id, currency, sum(points)::bigint AS points
        FROM (SELECT w.n, a.holder_id, a.currency, a.posted AS points
              FROM w JOIN account a ON a.holder_id = w.holder_id AND w.currency IN ('', a.currency)
              WHERE a.kind = 'PENDING'
              UNION ALL
              SELECT w.n, e.holder_id, e.currency, -e.amount
              FROM w JOIN later USING (n, holder_id) JOIN entry e USING (holder_id, operation_id)
              WHERE e.account = 'PENDING' AND w.currency IN ('', e.currency)
             ) AS waits
        WHERE EXISTS (
            SELECT FROM pending_grant g WHERE g.holder_id = waits.holder_id AND g.currency = waits.currency
            AND NOT EXISTS (SELECT FROM later WHERE later.n = waits.n AND later.operation_id = g.operation_id))
        GROUP BY 1, 2, 3
    )"""  # noqa: S608 - no value is formatted in


LIVE = "(expires_at IS NULL OR expires_at > as_of)"


def _wallets_statement(by: By) -> TextClause:
    return text(f"""
        WITH {past(by)}
        SELECT n, k.holder_id, currency, coalesce(k.free, 0), coalesce(k.held, 0), coalesce(d.points, 0),
               coalesce(k.pending, 0)
        FROM (SELECT n, currency, coalesce(l.holder_id, p.holder_id) AS holder_id, l.free, l.held, p.points AS pending
              FROM (SELECT n, holder_id, currency, sum(held)::bigint AS held,
                           coalesce(sum(remaining - held) FILTER (WHERE {LIVE}), 0)::bigint AS free
                    FROM past_lot GROUP BY 1, 2, 3) l
              FULL JOIN past_pending p USING (n, currency)) k
        LEFT JOIN past_debt d USING (n, currency) ORDER BY n, currency
    """)  # noqa: S608 - no value is formatted in


def _lots_statement(by: By, backward: bool) -> TextClause:
    compare, until, order = ("<", ">", "DESC") if backward else (">", "<", "ASC")
    place = "(coalesce(l.expires_at, '9999-01-01Z'), l.id)"
    return text(f"""
        WITH {past(by)}
        SELECT w.n, x.* FROM w CROSS JOIN LATERAL (
            SELECT l.id, l.granted, l.remaining, l.granted_at, l.expires_at, l.issuer_id, l.operation_id, l.holder_id,
                   l.currency
            FROM past_lot l WHERE l.n = w.n AND l.remaining > 0 AND {LIVE}
            AND (CAST(:from_expiry AS timestamptz) IS NULL
                 OR {place} {compare} (CAST(:from_expiry AS timestamptz), CAST(:from_id AS uuid)))
            AND (CAST(:until_expiry AS timestamptz) IS NULL
                 OR {place} {until} (CAST(:until_expiry AS timestamptz), CAST(:until_id AS uuid)))
            ORDER BY coalesce(l.expires_at, '9999-01-01Z') {order}, l.id {order} LIMIT :size
        ) x ORDER BY w.n, coalesce(x.expires_at, '9999-01-01Z') {order}, x.id {order}
    """)  # noqa: S608


def _count_statement(by: By) -> TextClause:
    return text(f"WITH {past(by)} SELECT n, count(*) FROM past_lot WHERE remaining > 0 AND {LIVE} GROUP BY n")  # noqa: S608


def _expiries_statement(by: By) -> TextClause:
    return text(f"""
        WITH {past(by)}
        SELECT w.n, x.day, x.points FROM w
        JOIN unnest(CAST(:zones AS text[])) WITH ORDINALITY AS z (zone, n) ON z.n = w.n
        CROSS JOIN LATERAL (
            SELECT ((l.expires_at - interval '1 microsecond') AT TIME ZONE z.zone)::date AS day,
                   sum(l.remaining)::bigint AS points
            FROM past_lot l WHERE l.n = w.n AND l.remaining > 0 AND l.expires_at > l.as_of
            GROUP BY 1 ORDER BY 1 LIMIT :size
        ) x ORDER BY w.n, x.day
    """)  # noqa: S608


_WALLETS = {by: _wallets_statement(by) for by in BYS}
_LOTS = {(by, backward): _lots_statement(by, backward) for by in BYS for backward in (False, True)}
_LOT_COUNTS = {by: _count_statement(by) for by in BYS}
_EXPIRIES = {by: _expiries_statement(by) for by in BYS}


async def wallets(session: AsyncSession, keys: Sequence[WalletKey], by: By) -> dict[WalletKey, list[WalletFigures]]:
    """As queries.wallets, of what there was at each key's `as_of`."""
    found: dict[WalletKey, list[WalletFigures]] = {key: [] for key in keys}
    for n, holder_id, currency, free, held, debt, pending in await session.execute(_WALLETS[by], _values(keys)):
        found[keys[n - 1]].append(WalletFigures(holder_id, currency, free, held, pending, debt))
    return found


async def lots_page(
    session: AsyncSession,
    keys: Sequence[WalletKey],
    by: By,
    size: int,
    start: Bound,
    end: Bound,
    *,
    backward: bool = False,
) -> dict[WalletKey, list[LotRow]]:
    """As queries.lots_page, of what there was at each key's `as_of`."""
    values = _values(keys) | {"size": size}
    values |= {"from_expiry": start and start[0], "from_id": start and start[1]}
    values |= {"until_expiry": end and end[0], "until_id": end and end[1]}
    found: dict[WalletKey, list[LotRow]] = {key: [] for key in keys}
    for n, *row in await session.execute(_LOTS[by, backward], values):
        found[keys[n - 1]].append(LotRow(*row))
    return found


async def lot_counts(session: AsyncSession, keys: Sequence[WalletKey], by: By) -> dict[WalletKey, int]:
    """As queries.lot_counts, of what there was at each key's `as_of`."""
    counts = dict.fromkeys(keys, 0)
    for n, count in await session.execute(_LOT_COUNTS[by], _values(keys)):
        counts[keys[n - 1]] = count
    return counts


async def expiries(
    session: AsyncSession, keys: Sequence[WalletKey], by: By, zones: Sequence[str], size: int
) -> dict[WalletKey, list[tuple[date, int]]]:
    """As queries.expiries, of what there was at each key's `as_of`."""
    found: dict[WalletKey, list[tuple[date, int]]] = {key: [] for key in keys}
    values = _values(keys) | {"zones": list(zones), "size": size}
    for n, day, points in await session.execute(_EXPIRIES[by], values):
        found[keys[n - 1]].append((day, points))
    return found


def _values(keys: Sequence[WalletKey]) -> dict[str, Any]:
    holders: list[UUID] = [key.holder_id for key in keys]
    return {"holders": holders, "currencies": [key.currency for key in keys], "as_ofs": [key.as_of for key in keys]}
