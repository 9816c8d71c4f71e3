"""`tessera bench reconcile`: a merchant's file against what is owed here, and the way it is mostly written: a look-up
for each row.

There are ten times as many obligations as lines in the file: of the same pair in the cycles around, and of other pairs
in the same cycle. One line in a hundred of the file is wrong, in each of the ways that there are; all are found, and
nothing else, or the benchmark fails. It is sent twice: with the merchant's own orders, and with our references.
"""

import asyncio
import csv
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from alliance.partnerfiles import commands
from alliance.partnerfiles.model import PartnerFile
from alliance.partnerfiles.periods import submission
from alliance.partnerfiles.work import reconcile
from alliance.runtime import Runtime
from alliance.statements.queries import pseudonyms
from benchmarks.ledger.site import Plan, connected
from benchmarks.outcome import Outcome, Result
from benchmarks.serving import house, prepare
from benchmarks.settle.filling import without_indexes
from domain.privacy.keys import KeyProvider

CYCLE = 3
"""Of five, all closed; the file is of this one."""

WRONG = 500
"""In each so many lines one is wrong in each of five ways."""

LOOKED_UP = 5_000
"""Rows that are looked up one by one: as many as tell how fast that is."""

MAPPING: dict[str, Any] = {
    "code": "books",
    "format": "csv",
    "partner": "grocer",
    "columns": {"key": "key", "orderRef": "order", "date": "on", "amount": "amount", "points": "points"},
}

_CYCLES = """INSERT INTO settlement_cycle (id, number, status, opens_at, closes_at)
    SELECT uuidv7(), n, 'SETTLED', now(), now() FROM generate_series(1, 5) AS n RETURNING id, number"""

# A line of the pair in the cycle of the file for each number; four more in the cycles around it, five of others.
_OBLIGATIONS = """
    INSERT INTO obligation (holder_id, operation_id, seq, cycle_id, kind, debtor_id, creditor_id, currency, points,
                            price, amount, agreement_id, agreement_version, merchant_id, order_ref, store, occurred_at)
    SELECT gen_random_uuid(), uuidv7(), 0, CASE WHEN line % 10 < 5 THEN ($1::uuid[])[1 + line % 10] ELSE $2 END,
           'EARN', CASE WHEN line % 10 < 5 THEN $3 ELSE ($5::uuid[])[1 + line / 10 % 50] END,
           CASE WHEN line % 10 < 5 THEN $4 ELSE ($5::uuid[])[2 + line / 10 % 50] END,
           'GRO', 1 + line % 1999, 850000, (1 + line % 1999) * 8500, $3, 1, $3, 'o-' || line, '330',
           timestamptz '2017-06-01 12:00Z' + line % 7 * interval '1 day'
    FROM generate_series(0, $6::int - 1) AS line"""

_FILE = """
    SELECT CASE WHEN wrong = 3 THEN 'none' || order_ref ELSE {key} END AS key,
           CASE WHEN wrong = 3 THEN 'x' || order_ref ELSE order_ref END AS "order",
           (occurred_at AT TIME ZONE 'America/New_York')::date AS "on",
           (-(amount + CASE WHEN wrong = 0 THEN 1000000 ELSE 0 END) / 1000000.0)::numeric(18, 6) AS amount,
           CASE WHEN wrong = 0 THEN NULL ELSE points END AS points
    FROM (SELECT o.*, (row_number() OVER (ORDER BY operation_id) - 1) % {wrong} AS wrong FROM obligation o
          WHERE cycle_id = $1 AND debtor_id = $2 AND creditor_id = $3) AS o,
         LATERAL (SELECT generate_series(1, CASE wrong WHEN 1 THEN 0 WHEN 2 THEN 2 ELSE 1 END)) AS again
    UNION ALL
    (SELECT {key}, order_ref, (occurred_at AT TIME ZONE 'America/New_York')::date,
            (-amount / 1000000.0)::numeric(18, 6), points
     FROM obligation o WHERE cycle_id = $4 AND debtor_id = $2 AND creditor_id = $3
     ORDER BY operation_id LIMIT {late})"""
_REFERENCE = """encode(substring(sha256($6::bytea || sha256($5::bytea || 'line'::bytea || uuid_send(o.operation_id)))
    FROM 1 FOR 12), 'hex') || '-' || o.seq"""


@dataclass(frozen=True, slots=True)
class Books:
    """A database with so many lines of the file's period, and ten times as many in all."""

    runtime: Runtime
    connection: asyncpg.Connection
    cycles: Mapping[int, UUID]
    lines: int


def bench_reconcile(plan: Plan) -> Outcome:
    """A file of so many lines. Raises ServicesError; RuntimeError if something else is found than was put there."""
    with house("tessera bench reconcile") as settings:
        return asyncio.run(_measure(settings.database_url or "", settings.keys(), plan))


async def _measure(database_url: str, keys: KeyProvider, plan: Plan) -> Outcome:
    await prepare(database_url, keys, 0)
    async with _filled(database_url, keys, plan.lines) as books:
        results = [await _reconciled(books, by) for by in ("orders", "references")]
        results.append(await _looked_up(books))
    rates = {result.name: result.rate for result in results}
    ratios = {
        f"{name}_vs_row_by_row": rate / rates["row_by_row"] for name, rate in rates.items() if name != "row_by_row"
    }
    return Outcome(results, ratios)


@asynccontextmanager
async def _filled(database_url: str, keys: KeyProvider, lines: int) -> AsyncIterator[Books]:
    async with Runtime.open(database_url, keys=keys, pool_size=2) as runtime, connected(database_url) as connection:
        fuel, grocer = (runtime.catalogue.merchants[code].id for code in ("fuel", "grocer"))
        cycles = {row["number"]: row["id"] for row in await connection.fetch(_CYCLES)}
        others = [row["id"] for row in await connection.fetch("SELECT uuidv7() AS id FROM generate_series(0, 51)")]
        async with without_indexes(connection):
            among = [cycles[number] for number in sorted(cycles)]
            await connection.execute(_OBLIGATIONS, among, cycles[CYCLE], fuel, grocer, others, 10 * lines, timeout=3600)
        await connection.execute("VACUUM (ANALYZE) obligation", timeout=3600)
        catalogue = runtime.catalogue
        merchant = replace(catalogue.merchants["fuel"], partner_files={"books": MAPPING})
        by_id = {**catalogue.merchants_by_id, merchant.id: merchant}
        runtime.catalogue = replace(
            catalogue, merchants={**catalogue.merchants, "fuel": merchant}, merchants_by_id=by_id
        )
        yield Books(runtime, connection, cycles, lines)


async def _reconciled(books: Books, by: str) -> Result:
    """Send the file and have it reconciled: reading, matching and keeping."""
    database, catalogue = books.runtime.database, books.runtime.catalogue
    merchant = catalogue.merchants["fuel"]
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        path = Path(folder) / "file.csv"
        await _write(books, by, path)
        now = datetime.now(UTC)
        async with database.transaction() as session:
            receiving = commands.Receiving(session, commands.Sent(merchant.id, by, by, "bench", now), 1 << 40)
            with path.open("rb") as content:
                while part := content.read(commands.PART):
                    await receiving.write(part)
            file = await receiving.end()
            wanted = await submission(
                session, catalogue, merchant, cycle=CYCLE, day=None, mapping="books", as_of=now
            )  # fmt: skip
            await commands.submit(session, file.id, wanted, who="bench", as_of=now, job=False)
    began = time.monotonic()

    def told(step: str, done: int, total: int) -> None:
        print(f"{by}: {step} {done:,} of {total:,}, {time.monotonic() - began:.0f} s", file=sys.stderr)

    await reconcile(database, catalogue, file.id, now, told)
    seconds = time.monotonic() - began
    async with database.reader() as session:
        found = await session.get(PartnerFile, file.id)
    assert found is not None
    _require(found, books.lines)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    more = {"lines": float(found.lines), "obligations": 10.0 * books.lines, "seconds": seconds, "mb": megabytes}
    return Result(by, found.lines / seconds, more=more)


def _require(file: PartnerFile, lines: int) -> None:
    """Raises RuntimeError unless just that was found which was put there."""
    each = [len(range(wrong, lines, WRONG)) for wrong in range(5)]
    late = max(lines // WRONG, 1)
    outcomes = {
        "AMOUNT_DIFFERS": (each[0], each[0]),
        "DUPLICATE": (each[2], 0),
        "MATCHED": (lines - each[0] - each[1] - each[3],) * 2,
        "MISSING_HERE": (each[3], 0),
        "MISSING_THERE": (0, each[1] + each[3]),
        "TIMING": (late, 0),
    }
    found = {name: (one["theirs"], one["ours"]) for name, one in sorted(file.outcomes.items())}
    if found != outcomes:
        raise RuntimeError(f"{found} were found, {outcomes} put there")


async def _write(books: Books, by: str, path: Path) -> None:
    fuel, grocer = (books.runtime.catalogue.merchants[code].id for code in ("fuel", "grocer"))
    arguments: list[Any] = [books.cycles[CYCLE], fuel, grocer, books.cycles[CYCLE + 1]]
    if by == "references":
        arguments += (await pseudonyms(books.runtime.database)).halves(fuel, grocer)
    key = _REFERENCE if by == "references" else "'k' || o.order_ref"
    query = _FILE.format(key=key, wrong=WRONG, late=max(books.lines // WRONG, 1))
    await books.connection.copy_from_query(query, *arguments, output=path, format="csv", header=True, timeout=3600)


async def _looked_up(books: Books) -> Result:
    """The same, a row at a time, with an index made for it: look the order up, compare, write down what came of it."""
    connection, cycle = books.connection, books.cycles[CYCLE]
    await connection.execute("CREATE INDEX by_order ON obligation (order_ref)", timeout=3600)
    await connection.execute("CREATE TABLE looked_up (key text, operation_id uuid, outcome text)")
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        path = Path(folder) / "file.csv"
        await _write(books, "orders", path)
        with path.open(newline="") as file:
            rows = [row for row, _ in zip(csv.DictReader(file), range(LOOKED_UP), strict=False)]
    look = await connection.prepare(
        "SELECT operation_id, amount FROM obligation WHERE order_ref = $1 AND cycle_id = $2 AND merchant_id = $3"
    )
    keep = await connection.prepare("INSERT INTO looked_up VALUES ($1, $2, $3)")
    merchant = books.runtime.catalogue.merchants["fuel"].id
    began = time.monotonic()
    async with connection.transaction():
        for row in rows:
            found = await look.fetchrow(row["order"], cycle, merchant)
            outcome = "MISSING_HERE" if found is None else "MATCHED"
            if found is not None and found["amount"] != -round(float(row["amount"]) * 10**6):
                outcome = "AMOUNT_DIFFERS"
            await keep.fetch(row["key"], found and found["operation_id"], outcome)
    return Result("row_by_row", len(rows) / (time.monotonic() - began), more={"lines": float(len(rows))})
