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
from zoneinfo import ZoneInfo

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.liability import months
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
    zone: ZoneInfo
    begins_at: datetime | None
    ends_at: datetime
    seen: Seen
    first: date | None


KINDS = ("granted", "exchanged_in", "redeemed", "exchanged", "expired", "adjusted", "reversed", "transferred")

MOST = 256
"""Months that are told apart: what is older counts as of the oldest."""


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
_MOMENT = "CASE WHEN o.kind = 'EXPIRE' THEN o.as_of - interval '1 microsecond' ELSE o.as_of END"

_SPANS = """
    unnest(CAST(:currencies AS text[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[]),
           CAST(:seen_before AS bigint[]), CAST(:unseen_from AS bigint[]), CAST(:unseen AS text[]),
           CAST(:firsts AS integer[]))
    AS p (currency, begins_at, ends_at, seen_before, unseen_from, unseen, first)"""

_COUNTS = """
    (o.xid < :now_before OR (o.xid < :now_from AND o.xid <> ALL (CAST(:now_unseen AS bigint[]))))
    AND o.moment < p.ends_at
    AND NOT coalesce(o.moment < p.begins_at AND (o.xid < p.seen_before
             OR (o.xid < p.unseen_from AND o.xid <> ALL (CAST(p.unseen AS bigint[])))), false)"""

_OPERATION = f"(SELECT o.id, o.holder_id, o.kind, o.reverses, o.xid, {_MOMENT} AS moment{{paid}} FROM operation o)"  # noqa: S608

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

_COLUMNS = """
    s.currency, s.issuer_id, s.funder_id, s.price, s.agreement_version, s.granted_at, s.granted AS from_granted,
    s.holder_id AS from_holder_id, s.operation_id AS from_operation_id"""

# Nearly all lots: what is said of them is on them, and on their operation.
_PLAIN = f"""
    (SELECT s.holder_id, s.id, s.operation_id, s.granted, false AS sourced, {_COLUMNS}, s.operation_id AS sale_id
     FROM lot s WHERE s.source_lot_id IS NULL
       AND NOT EXISTS (SELECT FROM pending_grant w WHERE w.activated_by = s.operation_id))"""  # noqa: S608

# What was given on or brought back is of the cohort, and carries the value, of the lot that it came from; what waited
# was sold by the earn.
_ODD = f"""
    WITH RECURSIVE up AS (
        SELECT holder_id, id, operation_id, granted, source_holder_id, source_lot_id
        FROM lot WHERE source_lot_id IS NOT NULL
        UNION ALL
        SELECT up.holder_id, up.id, up.operation_id, up.granted, s.source_holder_id, s.source_lot_id
        FROM up JOIN lot s ON s.holder_id = up.source_holder_id AND s.id = up.source_lot_id
        WHERE s.source_lot_id IS NOT NULL
    ), waited AS (
        SELECT DISTINCT activated_by, operation_id FROM pending_grant WHERE activated_by IS NOT NULL
    ), odd AS (
        SELECT up.holder_id, up.id, up.operation_id, up.granted, true AS sourced, {_COLUMNS},
               coalesce(w.operation_id, s.operation_id) AS sale_id
        FROM up JOIN lot s ON s.holder_id = up.source_holder_id AND s.id = up.source_lot_id AND s.source_lot_id IS NULL
        LEFT JOIN waited w ON w.activated_by = s.operation_id
        UNION ALL
        SELECT s.holder_id, s.id, s.operation_id, s.granted, false, {_COLUMNS}, w.operation_id
        FROM waited w JOIN lot s ON s.operation_id = w.activated_by AND s.source_lot_id IS NULL
    )"""  # noqa: S608

# An order as `domain.ledger.returns.order_of` reads it; what of it was paid in money, in money.
_PAID = """
    CASE WHEN o.kind = 'EARN' AND o.lines ->> 0 = :money THEN coalesce(CAST(o.lines ->> 1 AS numeric),
        CASE WHEN jsonb_array_length(o.lines) = 3 THEN CAST(o.lines -> 2 ->> 4 AS numeric)
             ELSE (SELECT sum(CAST(line ->> 4 AS numeric))
                   FROM jsonb_array_elements(o.lines) WITH ORDINALITY AS x (line, n) WHERE n > 2) END) END"""

# By relative stand-alone selling prices (rules.deferred_part), a point: sale x alone / (sale + points x alone), divided
# by the sale so that it is worked out once; without an order, as if that were without end.
_PRICE = """
    CASE WHEN l.funder_id <> l.issuer_id THEN CASE WHEN l.agreement_version IS NULL THEN l.price ELSE
             coalesce((SELECT b.price FROM obligation b
                       WHERE b.holder_id = l.from_holder_id AND b.operation_id = l.from_operation_id
                         AND b.kind = 'EARN' AND b.creditor_id = l.issuer_id AND b.currency = l.currency
                       ORDER BY b.seq LIMIT 1), 0) END
         WHEN {sale}.kind IN ('ADJUST', 'REPAIR') THEN 0
         WHEN {sale}.kind = 'OPENING' AND l.price > 0 THEN l.price
         ELSE coalesce(round(v.price / (1 + {points} * v.price / (100000000 * {sale}.paid + 1))),
                       round(v.price), 0) END"""

_ALONE = """
    LEFT JOIN unnest(CAST(:alone_currencies AS text[]), CAST(:alone_months AS integer[]),
                     CAST(:alone_prices AS numeric[]))
         AS v (currency, issued, price) ON v.currency = l.currency AND v.issued = {issued}"""

_SALE = f"LEFT JOIN (SELECT o.id, o.kind, {_PAID} AS paid FROM operation o) sale ON sale.id = l.sale_id"  # noqa: S608

# Where rules grant points that end on other days than the rest, a sale has several lots.
_PARTS = """
    LEFT JOIN (SELECT operation_id, currency, sum(granted) AS points FROM lot
               WHERE source_lot_id IS NULL GROUP BY operation_id, currency HAVING count(*) > 1) t
         ON t.operation_id = l.from_operation_id AND t.currency = l.currency"""


def _coded(kind: str) -> str:
    """SQL for a kind, as its place in KINDS."""
    for code, name in enumerate(KINDS):
        kind = kind.replace(f"'{name}'", str(code))
    return kind


def _statements(odd: bool, priced: bool, parts: bool) -> list[TextClause]:
    """Lots as they were granted, and what was taken of them. Those that came of others apart: so all processors read
    the rest. Lots and operations are found by their ids alone, which nobody else has: of a pair of columns the
    database would expect next to nothing. For the same reason, and to be quick, all that is summed by is one number."""
    issued = "width_bucket(l.granted_at, CAST(:bounds AS timestamptz[]))"
    month = f"greatest(width_bucket(o.moment, CAST(:bounds AS timestamptz[])), {issued}, p.first)"
    lots, points = "odd" if odd else _PLAIN, "coalesce(t.points, l.from_granted)" if parts else "l.from_granted"

    def statement(moved: str, kind: str, amount: str, sale: str) -> TextClause:
        price = _PRICE.format(sale=sale, points=points) if priced else "0"
        joined = (_SALE if sale == "sale" else "") + _ALONE.format(issued=issued) + (_PARTS if parts else "")
        return text(f"""
            {_ODD if odd else ""}
            SELECT l.currency, (({issued} * {MOST} + {month}) * {len(KINDS)} + {_coded(kind)}) * 2
                               + CASE WHEN l.funder_id <> l.issuer_id THEN 1 ELSE 0 END AS key,
                   CAST(sum({amount}) AS bigint) AS points, CAST(sum({amount} * {price}) AS numeric) AS value
            FROM {moved} JOIN {_SPANS} ON p.currency = l.currency {joined if priced else ""}
            WHERE {_COUNTS} GROUP BY 1, 2""")  # noqa: S608 - no value is formatted in

    plain, paid = _OPERATION.format(paid=""), _OPERATION.format(paid=f", {_PAID} AS paid" if priced else "")
    # A lot's own operation is its sale, where it is none of the odd ones.
    return [
        statement(
            f"{lots} l JOIN {plain if odd else paid} o ON o.id = l.operation_id",
            _GRANTED,
            "l.granted",
            "sale" if odd else "o",
        ),
        statement(
            f"allocation a JOIN {lots} l ON l.id = a.lot_id JOIN {plain} o ON o.id = a.operation_id",
            _KIND.format(delta="a.amount"),
            "a.amount",
            "sale",
        ),
    ]


_STATEMENTS = {
    (priced, parts): _statements(False, priced, parts) + _statements(True, priced, parts)
    for priced, parts in ((False, False), (True, False), (True, True))
}

_HAS_PARTS = text("SELECT EXISTS (SELECT FROM earning_rule WHERE definition ?| ARRAY['expiry', 'pending', 'limits'])")


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
    prices = None if alone is None else list(alone)
    parts = prices is not None and bool(await session.scalar(_HAS_PARTS))
    found: list[Movement] = []
    for zone in {span.zone for span in spans}:
        asked = [span for span in spans if span.zone == zone]
        base = max(months.number(months.current(span.ends_at, zone)) for span in asked) - MOST + 2
        values = _values(asked, now, base, zone) | ({} if prices is None else _priced(prices, base) | {"money": money})
        for statement in _STATEMENTS[prices is not None, parts]:
            found += [_movement(base, *row) for row in await session.execute(statement, values)]
    return found


def _values(spans: Sequence[Span], now: Seen, base: int, zone: ZoneInfo) -> dict[str, Any]:
    """What a statement is told: months are counted from `base`, which is 1."""
    return {
        "currencies": [span.currency for span in spans],
        "begins": [span.begins_at for span in spans],
        "ends": [span.ends_at for span in spans],
        "seen_before": [span.seen.seen_before for span in spans],
        "unseen_from": [span.seen.unseen_from for span in spans],
        "unseen": ["{" + ",".join(map(str, span.seen.unseen)) + "}" for span in spans],
        "firsts": [0 if span.first is None else months.number(span.first) - base + 1 for span in spans],
        "now_before": now.seen_before,
        "now_from": now.unseen_from,
        "now_unseen": now.unseen,
        "bounds": [months.end_of(months.numbered(count - 1), zone) for count in range(base, base + MOST - 1)],
    }


def _priced(alone: Sequence[Alone], base: int) -> dict[str, Any]:
    return {
        "alone_currencies": [one.currency for one in alone],
        "alone_months": [months.number(one.issued) - base + 1 for one in alone],
        "alone_prices": [_decimal(one.price) for one in alone],
    }


def _movement(base: int, currency: str, key: int, points: int, value: Decimal) -> Movement:
    key, funded = divmod(key, 2)
    key, kind = divmod(key, len(KINDS))
    issued, month = (months.numbered(base - 1 + max(1, count)) for count in divmod(key, MOST))
    return Movement(currency, issued, month, KINDS[kind], bool(funded), points, int(value))


def _decimal(price: Fraction) -> Decimal:
    """To 10^-9 of its unit."""
    return Decimal(round(price * WHOLE)).scaleb(-9)
