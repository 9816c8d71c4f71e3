"""What a purchase weighs: bytes of all tables and their indexes, once it is in the log and nothing waits."""

import random

import asyncpg

from alliance.proofs.commands import prepare, seal
from benchmarks.ledger.site import BATCH, Site, connected, opened, purchases
from benchmarks.outcome import Outcome, Result
from domain.database import Database

LINES = 11
"""Lines of the purchases that are compared with those of one line."""

_SIZES = """
    SELECT relname AS name, pg_total_relation_size(oid)::bigint AS bytes FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""


async def measure(site: Site) -> Outcome:
    """As many purchases of one line as of many, each in a database of its own; what differs is the lines."""
    one, many = [await _weighed(site, lines) for lines in (1, LINES)]
    grown = {f"{name}_bytes": value for name, value in one.items() if value >= 1}
    further = (sum(many.values()) - sum(one.values())) / (LINES - 1)
    return Outcome(
        [Result("weight", 0.0, more=grown | {"bytes_an_earn": sum(one.values()), "bytes_a_further_line": further})], {}
    )


async def _weighed(site: Site, lines: int) -> dict[str, float]:
    """Bytes a purchase, by table."""
    database_url = await site.database()
    count = max(BATCH, site.plan.purchases // 2)
    async with connected(database_url) as connection:
        before = await _sizes(connection)
        async with opened(database_url, site.settings.keys()) as (runtime, members):
            for _ in range(count // BATCH):
                await runtime.engine.post_many(purchases(runtime, random.choices(members, k=BATCH), lines))
        await _seal(site, database_url)
        after = await _sizes(connection)
    return {name: (bytes_ - before[name]) / (count // BATCH * BATCH) for name, bytes_ in after.items()}


async def _seal(site: Site, database_url: str) -> None:
    """Add all operations to the log."""
    database = Database(database_url)
    connection = await database.connect(plan_cache_mode="force_custom_plan")
    try:
        keys = site.settings.log_keys()
        await prepare(connection, keys)
        while (await seal(connection, keys)).added:
            pass
    finally:
        await connection.close()
        await database.close()


async def _sizes(connection: asyncpg.Connection) -> dict[str, int]:
    """Bytes of each table with its indexes, once vacuumed."""
    await connection.execute("VACUUM (ANALYZE)")
    return {row["name"]: row["bytes"] for row in await connection.fetch(_SIZES)}
