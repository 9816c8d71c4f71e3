"""What points did, by currency, month of issue, month and kind: read from the books, all of it at once.

Nothing is written for it while points move. A lot's price says what is deferred for a point that somebody else paid
for; for one that came with the issuer's own sale it is worked out here, from the order that its operation keeps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.liability.rules import WHOLE, Sums


class Seen(NamedTuple):
    """Which transactions were over, as `LiabilityMonth` keeps it."""

    seen_before: int
    unseen_from: int
    unseen: list[int]


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of a currency: until `ends_at`, without what was seen at the last closing and was before
    `begins_at`. What moved before `first`, a month, and was not counted then, counts as moved in it."""

    currency: str
    zone: str
    begins_at: datetime | None
    ends_at: datetime
    seen: Seen
    first: date


class Alone(NamedTuple):
    """What a point of a cohort would sell for by itself, in 10^-8 of the settlement currency: worth x expected use."""

    currency: str
    issued: date
    price: Fraction


class Movement(NamedTuple):
    """Points (and what they carried, 10^-8) that were added to what is outstanding; below zero, taken from it."""

    currency: str
    issued: date
    month: date
    kind: str
    funded: bool
    points: int
    value: int

    def sums(self) -> Sums:
        """As a part of a cohort's."""
        values = {"granted": "sold", "exchanged_in": "sold", "reversed": "taken_sold"}
        values |= {"expired": "ended", "adjusted": "ended"}
        value = f"value_{values.get(self.kind, self.kind)}"
        if self.funded:
            value = value.replace("sold", "funded")
        sign = 1 if self.kind in ("granted", "exchanged_in", "transferred") else -1
        return Sums(**{self.kind: sign * self.points, value: sign * self.value})


# An expiry at midnight is of the day before.
_MOMENT = "o.as_of - CASE WHEN o.kind = 'EXPIRE' THEN interval '1 microsecond' ELSE interval '0' END"

_SPANS = """
    unnest(CAST(:currencies AS text[]), CAST(:zones AS text[]), CAST(:begins AS timestamptz[]),
           CAST(:ends AS timestamptz[]), CAST(:seen_before AS bigint[]), CAST(:unseen_from AS bigint[]),
           CAST(:unseen AS text[]), CAST(:firsts AS date[]))
    AS p (currency, zone, begins_at, ends_at, seen_before, unseen_from, unseen, first)"""

_COUNTS = """
    (o.xid < :now_before OR (o.xid < :now_from AND o.xid <> ALL (CAST(:now_unseen AS bigint[]))))
    AND o.moment < p.ends_at
    AND NOT coalesce(o.moment < p.begins_at AND (o.xid < p.seen_before
             OR (o.xid < p.unseen_from AND o.xid <> ALL (CAST(p.unseen AS bigint[])))), false)"""

_OPERATION = f"(SELECT o.id, o.holder_id, o.kind, o.reverses, o.xid, {_MOMENT} AS moment FROM operation o)"  # noqa: S608

_TRANSFERS = "('GIFT', 'POOL_IN', 'POOL_OUT', 'MERGE', 'UNMERGE', 'EXTEND')"

_UNDONE = "(SELECT u.kind FROM operation u WHERE u.holder_id = o.holder_id AND u.id = o.reverses)"

# What is put back undoes what took it; what is taken back was granted by what is undone, or pays a debt.
_KIND = f"""
    CASE WHEN o.kind = 'REVERSAL' THEN CASE coalesce({_UNDONE}, '')
             WHEN 'GIFT' THEN 'transferred' WHEN 'POOL_IN' THEN 'transferred' WHEN 'POOL_OUT' THEN 'transferred'
             WHEN 'EXCHANGE' THEN CASE WHEN {{delta}} < 0 THEN 'reversed' ELSE 'exchanged' END
             WHEN 'EXPIRE' THEN 'expired'
             WHEN 'ADJUST' THEN CASE WHEN {{delta}} < 0 THEN 'reversed' ELSE 'adjusted' END
             ELSE CASE WHEN {{delta}} < 0 THEN 'reversed' ELSE 'redeemed' END END
         WHEN o.kind IN ('REDEEM', 'EXIT') THEN 'redeemed'
         WHEN o.kind = 'EXCHANGE' THEN 'exchanged'
         WHEN o.kind IN ('EXPIRE', 'REINSTATE') THEN 'expired'
         WHEN o.kind IN {_TRANSFERS} THEN 'transferred'
         WHEN o.kind IN ('EARN', 'ACTIVATE', 'OPENING') THEN 'reversed'
         ELSE 'adjusted' END"""

_GRANTED = f"""
    CASE WHEN l.sourced OR o.kind = 'REVERSAL' THEN {_KIND.format(delta="l.granted")}
         WHEN o.kind = 'EXCHANGE' THEN 'exchanged_in' ELSE 'granted' END"""

_WAITED = """
    LEFT JOIN (SELECT DISTINCT activated_by, operation_id FROM pending_grant WHERE activated_by IS NOT NULL) w
    ON w.activated_by"""

_PLAIN = f"""
    (SELECT s.holder_id, s.id, s.operation_id, s.granted, false AS sourced, s.currency, s.issuer_id, s.funder_id,
            s.price, s.agreement_version, s.granted_at, s.granted AS from_granted, s.holder_id AS from_holder_id,
            s.operation_id AS from_operation_id, coalesce(w.operation_id, s.operation_id) AS sale_id
     FROM lot s {_WAITED} = s.operation_id WHERE s.source_lot_id IS NULL)"""  # noqa: S608

# What was given on or brought back is of the cohort, and carries the value, of the lot that it came from.
_SOURCED = f"""
    WITH RECURSIVE up AS (
        SELECT holder_id, id, operation_id, granted, source_holder_id, source_lot_id
        FROM lot WHERE source_lot_id IS NOT NULL
        UNION ALL
        SELECT up.holder_id, up.id, up.operation_id, up.granted, s.source_holder_id, s.source_lot_id
        FROM up JOIN lot s ON s.holder_id = up.source_holder_id AND s.id = up.source_lot_id
        WHERE s.source_lot_id IS NOT NULL
    ), sourced AS (
        SELECT up.holder_id, up.id, up.operation_id, up.granted, true AS sourced, s.currency, s.issuer_id,
               s.funder_id, s.price, s.agreement_version, s.granted_at, s.granted AS from_granted,
               s.holder_id AS from_holder_id, s.operation_id AS from_operation_id,
               coalesce(w.operation_id, s.operation_id) AS sale_id
        FROM up JOIN lot s ON s.holder_id = up.source_holder_id AND s.id = up.source_lot_id AND s.source_lot_id IS NULL
        {_WAITED} = s.operation_id
    )"""  # noqa: S608

# An order as `domain.ledger.returns.order_of` reads it; what of it was paid in money, in money.
_PAID = """
    CASE WHEN g.kind = 'EARN' AND g.lines ->> 0 = :money THEN coalesce(CAST(g.lines ->> 1 AS numeric),
        CASE WHEN jsonb_array_length(g.lines) = 3 THEN CAST(g.lines -> 2 ->> 4 AS numeric)
             ELSE (SELECT sum(CAST(line ->> 4 AS numeric))
                   FROM jsonb_array_elements(g.lines) WITH ORDINALITY AS x (line, n) WHERE n > 2) END) END"""

# By relative stand-alone selling prices (rules.deferred_part), a point; without an order, as if it were without end.
_PRICE = """
    CASE WHEN l.funder_id <> l.issuer_id THEN CASE WHEN l.agreement_version IS NULL THEN l.price ELSE
             coalesce((SELECT b.price FROM obligation b
                       WHERE b.holder_id = l.from_holder_id AND b.operation_id = l.from_operation_id
                         AND b.kind = 'EARN' AND b.creditor_id = l.issuer_id AND b.currency = l.currency
                       ORDER BY b.seq LIMIT 1), 0) END
         WHEN s.kind IN ('ADJUST', 'REPAIR') THEN 0
         WHEN s.kind = 'OPENING' AND l.price > 0 THEN l.price
         WHEN s.paid IS NULL THEN round(coalesce(v.price, 0))
         WHEN s.paid <= 0 OR v.price IS NULL THEN 0
         ELSE round(s.paid * 100000000 * v.price
                    / (s.paid * 100000000 + coalesce(t.points, l.from_granted) * v.price)) END"""

_SALES = f"""
    LEFT JOIN (SELECT g.id, g.kind, {_PAID} AS paid FROM operation g) s ON s.id = l.sale_id
    LEFT JOIN unnest(CAST(:alone_currencies AS text[]), CAST(:alone_months AS date[]), CAST(:alone_prices AS numeric[]))
         AS v (currency, issued, price) ON v.currency = l.currency AND v.issued = {{issued}}
    LEFT JOIN (SELECT operation_id, currency, sum(granted) AS points FROM lot
               WHERE source_lot_id IS NULL AND issuer_id = funder_id
               GROUP BY operation_id, currency HAVING count(*) > 1) t
         ON t.operation_id = l.from_operation_id AND t.currency = l.currency"""  # noqa: S608


def _statement(sourced: bool, priced: bool) -> TextClause:
    """Lots as they were granted and what was taken of them. Those that came of others apart: so all processors read the
    rest at once, which is nearly all."""
    issued = "CAST(date_trunc('month', l.granted_at AT TIME ZONE p.zone) AS date)"
    month = f"greatest(CAST(date_trunc('month', o.moment AT TIME ZONE p.zone) AS date), {issued}, p.first)"
    lots, price = "sourced" if sourced else _PLAIN, _PRICE if priced else "0"
    with_them, sales = _SOURCED if sourced else "", _SALES.format(issued=issued) if priced else ""
    cohort = f"l.currency, {issued} AS issued, {month} AS month, l.funder_id <> l.issuer_id AS funded, {price} AS price"
    return text(f"""
        {with_them}
        SELECT currency, issued, month, kind, funded, CAST(sum(points) AS bigint) AS points,
               CAST(sum(points * price) AS numeric) AS value
        FROM (
            SELECT {cohort}, {_GRANTED} AS kind, l.granted AS points
            FROM {lots} l JOIN {_SPANS} ON p.currency = l.currency
            JOIN {_OPERATION} o ON o.id = l.operation_id {sales}
            WHERE {_COUNTS}
            UNION ALL
            SELECT {cohort}, {_KIND.format(delta="a.amount")}, a.amount
            FROM allocation a JOIN {lots} l ON l.holder_id = a.holder_id AND l.id = a.lot_id
            JOIN {_SPANS} ON p.currency = l.currency
            JOIN {_OPERATION} o ON o.id = a.operation_id {sales}
            WHERE {_COUNTS}
        ) AS moved GROUP BY 1, 2, 3, 4, 5""")  # noqa: S608 - no value is formatted in


_STATEMENTS = {(sourced, priced): _statement(sourced, priced) for sourced in (False, True) for priced in (False, True)}


async def seen_now(session: AsyncSession) -> Seen:
    """Which transactions are over at this moment."""
    now = await session.execute(
        text("""SELECT CAST(CAST(pg_snapshot_xmin(s) AS text) AS bigint),
                       CAST(CAST(pg_snapshot_xmax(s) AS text) AS bigint),
                       ARRAY(SELECT CAST(CAST(x AS text) AS bigint) FROM pg_snapshot_xip(s) AS x)
                FROM pg_current_snapshot() AS s""")
    )
    return Seen(*now.one())


async def movements(
    session: AsyncSession, spans: Sequence[Span], now: Seen, money: str, alone: Iterable[Alone] | None = None
) -> list[Movement]:
    """What moved in these spans, as far as it was seen `now`; with the value of points where `alone` says what those of
    each cohort would sell for. One row a cohort, month and kind; `money` is the settlement currency."""
    values: dict[str, Any] = {
        "currencies": [span.currency for span in spans],
        "zones": [span.zone for span in spans],
        "begins": [span.begins_at for span in spans],
        "ends": [span.ends_at for span in spans],
        "seen_before": [span.seen.seen_before for span in spans],
        "unseen_from": [span.seen.unseen_from for span in spans],
        "unseen": ["{" + ",".join(map(str, span.seen.unseen)) + "}" for span in spans],
        "firsts": [span.first for span in spans],
        "now_before": now.seen_before,
        "now_from": now.unseen_from,
        "now_unseen": now.unseen,
    }
    if alone is not None:
        prices = list(alone)
        values |= {
            "money": money,
            "alone_currencies": [one.currency for one in prices],
            "alone_months": [one.issued for one in prices],
            "alone_prices": [_decimal(one.price) for one in prices],
        }
    found = []
    for sourced in (False, True):
        rows = await session.execute(_STATEMENTS[sourced, alone is not None], values)
        found += [Movement(**{**row._mapping, "value": int(row.value)}) for row in rows]
    return found


def _decimal(price: Fraction) -> Decimal:
    """To 10^-9 of its unit."""
    return Decimal(round(price * WHOLE)).scaleb(-9)
