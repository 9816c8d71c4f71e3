"""`tessera bench liability`: what is deferred for points at a month's end, worked out in the database; and one lot
after another, as a program that reads rows would."""

import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import orjson
import psutil
import uvloop

from alliance.liability.closing import close_months
from alliance.runtime import Runtime
from benchmarks.ledger.site import Plan, connected
from benchmarks.outcome import Outcome, Result
from benchmarks.serving import house, prepare
from domain.privacy.keys import KeyProvider

NOW = datetime(2027, 1, 3, 12, tzinfo=UTC)
CLOSINGS = {"first_closing": datetime(2026, 12, 3, 12, tzinfo=UTC), "month_end": NOW}
"""Of all months but the last, at once; and of the last."""
LOTS_A_MEMBER = 50
SAMPLE = 50
"""One member in so many is read row by row."""

# Purchases of two years as they came, one in five at a partner. Of every other one half of the points is spent a month
# later; what is older than a year has ended.
_FILL = (
    """CREATE UNLOGGED TABLE buyer AS SELECT n, uuidv7() AS id FROM generate_series(0, {members} - 1) AS n""",
    """CREATE UNLOGGED TABLE made AS
       SELECT line, uuidv7() AS bought, uuidv7() AS lot_id, uuidv7() AS spent, uuidv7() AS lapsed, id AS holder_id,
              timestamptz '{now}' - interval '730 days' + {step} * line AS at, 20 + line % 400 AS points,
              CASE WHEN line % 2 = 0 THEN (20 + line % 400) / 2 ELSE 0 END AS used, line % 5 = 0 AS funded
       FROM generate_series(1, {lots}) AS line JOIN buyer ON n = (line::bigint * 7919) % {members}""",
    """INSERT INTO operation (holder_id, id, kind, merchant_id, channel, order_ref, occurred_at, as_of, decisions,
                              lines)
       SELECT holder_id, bought, 'EARN', '{grocer}', 'STORE', line::text, at, at,
              jsonb_build_array(jsonb_build_object('rule', 'base', 'version', 1, 'points', points)),
              CASE WHEN NOT funded THEN jsonb_build_array('USD', NULL, jsonb_build_array(
                  '1', line::text, 'GROCERY', '1', points || '.49', points)) END
       FROM made ORDER BY line""",
    """INSERT INTO lot (holder_id, id, currency, operation_id, issuer_id, funder_id, price, granted, remaining,
                        granted_at, expires_at)
       SELECT holder_id, lot_id, 'GRO', bought, '{grocer}', CASE WHEN funded THEN '{fuel}'::uuid ELSE '{grocer}' END,
              CASE WHEN funded THEN 900000 ELSE 0 END, points,
              CASE WHEN at + interval '1 year' < timestamptz '{now}' THEN 0
                   WHEN at + interval '30 days' < timestamptz '{now}' THEN points - used ELSE points END,
              at, at + interval '1 year'
       FROM made ORDER BY line""",
    """INSERT INTO operation (holder_id, id, kind, merchant_id, occurred_at, as_of)
       SELECT holder_id, spent, 'REDEEM', '{fuel}'::uuid, at + interval '30 days', at + interval '30 days' FROM made
       WHERE used > 0 AND at + interval '30 days' < timestamptz '{now}'
       UNION ALL
       SELECT holder_id, lapsed, 'EXPIRE', '{grocer}', at + interval '1 year', at + interval '1 year' FROM made
       WHERE at + interval '1 year' < timestamptz '{now}'""",
    """INSERT INTO allocation (holder_id, operation_id, lot_id, amount)
       SELECT holder_id, spent, lot_id, -used FROM made
       WHERE used > 0 AND at + interval '30 days' < timestamptz '{now}'
       UNION ALL
       SELECT holder_id, lapsed, lot_id, used - points FROM made WHERE at + interval '1 year' < timestamptz '{now}'""",
    "DROP TABLE made",
)


def bench_liability(plan: Plan) -> Outcome:
    """Close all months of two years of `lots` lots, and the last alone; and value some of them row by row.

    Raises ServicesError.
    """
    with house("tessera bench liability") as settings:
        return uvloop.run(measure(settings.database_url or "", settings.keys(), plan.lots))


async def measure(database_url: str, keys: KeyProvider, lots: int) -> Outcome:
    """The same, in a database of its own, which is filled."""
    await prepare(database_url, keys, 1)
    async with Runtime.open(database_url, keys=keys, pool_size=2) as runtime:
        merchants = {code: runtime.catalogue.merchants[code].id for code in ("grocer", "fuel")}
        await fill(database_url, merchants, lots)
        closed = [await _close(runtime, name, as_of, lots) for name, as_of in CLOSINGS.items()]
    rows = await _row_by_row(database_url)
    return Outcome([*closed, rows], {"first_vs_row_by_row": closed[0].rate / rows.rate})


async def _close(runtime: Runtime, name: str, as_of: datetime, lots: int) -> Result:
    began = time.perf_counter()
    async with runtime.database.transaction() as session:
        months = await close_months(session, runtime.catalogue, as_of, progress=_tell)
    seconds = time.perf_counter() - began
    more = {"lots": float(lots), "months": float(len(months)), "seconds": seconds}
    return Result(name, lots / seconds, more=more | {"mb": psutil.Process().memory_info().rss / 1e6})


def _tell(step: str, done: int, total: int) -> None:
    print(f"{done} of {total}: {step}", file=sys.stderr, flush=True)


async def fill(database_url: str, merchants: dict[str, UUID], lots: int) -> None:
    """So many lots of GRO, with what they were bought with, and what became of them."""
    members = max(1, lots // LOTS_A_MEMBER)
    step = f"interval '{timedelta(days=730) / lots / timedelta(microseconds=1):.0f} microseconds'"
    async with connected(database_url) as connection:
        for sql in _FILL:
            await connection.execute(
                sql.format(members=members, lots=lots, now=NOW.isoformat(), step=step, **merchants)
            )
        await connection.execute("VACUUM (ANALYZE) operation, lot, allocation")


async def _row_by_row(database_url: str) -> Result:
    """Lot after lot of some members, with its order and what became of it: deferred and earned, by month of issue."""
    deferred: dict[str, Decimal] = defaultdict(Decimal)
    async with connected(database_url) as connection:
        holders = [row["id"] for row in await connection.fetch("SELECT id FROM buyer WHERE n % $1 = 0", SAMPLE)]
        began, count = time.perf_counter(), 0
        for holder_id in holders:
            for lot in await connection.fetch("SELECT * FROM lot WHERE holder_id = $1", holder_id):
                deferred[f"{lot['granted_at']:%Y-%m}"] += await _left(connection, lot)
                count += 1
        seconds = time.perf_counter() - began
    return Result("row_by_row", count / seconds, more={"lots": float(count), "seconds": seconds})


async def _left(connection: asyncpg.Connection, lot: asyncpg.Record) -> Decimal:
    key = (lot["holder_id"], lot["operation_id"])
    sale = await connection.fetchrow("SELECT lines FROM operation WHERE holder_id = $1 AND id = $2", *key)
    if lot["price"]:
        value = Decimal(lot["price"]) / 10**8 * lot["granted"]
    else:
        paid, alone = Decimal(orjson.loads(sale["lines"])[2][4]), Decimal("0.01") * lot["granted"]
        value = paid * alone / (paid + alone)
    taken = await connection.fetch(
        """SELECT o.kind, a.amount FROM allocation a JOIN operation o USING (holder_id)
           WHERE o.id = a.operation_id AND a.holder_id = $1 AND a.lot_id = $2""",
        lot["holder_id"],
        lot["id"],
    )
    used = -sum(row["amount"] for row in taken if row["kind"] == "REDEEM")
    left = lot["granted"] + sum(row["amount"] for row in taken)
    return value * left / (used + left) if left else Decimal(0)
