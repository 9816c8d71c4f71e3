"""Expiry: one worker's rate against a bare UPDATE of the same lots, two workers against one, how long holders wait.

The UPDATE takes as many wallets a transaction as a worker does.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec
import uvloop

from alliance.runtime import Runtime, collect_rarely
from benchmarks.ledger.filling import add_members, fill
from benchmarks.ledger.site import Site, connected, timed
from benchmarks.outcome import Outcome, Result
from benchmarks.serving import environment_of
from domain.base import new_id
from domain.database import Database
from domain.events.model import HeldJob
from domain.ledger.due import cut_due_holders
from server.settings import get_settings
from workers.actors.expiry import HOLDERS_A_JOB, WALLETS_AT_ONCE, expire_range

LOTS = 3
"""Due lots of a wallet."""

_UPDATE = "UPDATE lot SET remaining = 0 WHERE NOT spent AND expires_at <= $1 AND holder_id = ANY($2)"


class Shift(msgspec.Struct, frozen=True):
    """The ranges of holders that one worker is to expire, each as the arguments of a job."""

    database_url: str
    ranges: list[dict[str, str | None]]


class Done(msgspec.Struct, frozen=True):
    """What a worker says when it is through: the longest that it kept holders locked, in milliseconds."""

    longest_ms: float


async def measure(site: Site) -> Outcome:
    """The same night three times: by an UPDATE, by one worker, by two."""
    full = await site.database()
    holders = site.plan.wallets // 30
    async with connected(full) as connection:
        await connection.execute("DELETE FROM member")
        await add_members(connection, holders)
        await fill(connection, "GRO", lots=LOTS, overdue=LOTS + 1)
    lots = holders * LOTS
    copies = [await site.database(full) for _ in range(3)]
    as_of = datetime.now(UTC)
    async with connected(copies[0]) as connection:
        _, seconds = await timed(_update(connection, as_of))
    results = {"update": Result("update", lots / seconds, more={"lots": float(lots)})}
    for workers, database_url in ((1, copies[1]), (2, copies[2])):
        seconds, longest = await _night(site, database_url, as_of, workers)
        name = f"expiry_{workers}"
        results[name] = Result(name, lots / seconds, more={"longest_lock_ms": longest})
    return Outcome(
        list(results.values()),
        {
            "expiry_vs_update": results["expiry_1"].rate / results["update"].rate,
            "expiry_2_vs_1": results["expiry_2"].rate / results["expiry_1"].rate,
        },
    )


async def _update(connection: asyncpg.Connection, as_of: datetime) -> None:
    holders = [row["id"] for row in await connection.fetch("SELECT id FROM member ORDER BY id")]
    for first in range(0, len(holders), WALLETS_AT_ONCE):
        await connection.execute(_UPDATE, as_of, holders[first : first + WALLETS_AT_ONCE])


async def _night(site: Site, database_url: str, as_of: datetime, workers: int) -> tuple[float, float]:
    """Seconds until all is expired, and the longest lock, in milliseconds. Raises RuntimeError if any lot is left."""
    ranges = await _ranges(database_url, as_of)
    async with AsyncExitStack() as stack:
        shifts = [Shift(database_url, ranges[n::workers]) for n in range(workers)]
        hands = [await stack.enter_async_context(_worker(site, shift)) for shift in shifts]
        done, seconds = await timed(asyncio.gather(*map(_finish, hands)))
    async with connected(database_url) as connection:
        if left := await connection.fetchval("SELECT count(*) FROM lot WHERE NOT spent"):
            raise RuntimeError(f"{left} lots were not expired")
    return seconds, max(one.longest_ms for one in done)


async def _ranges(database_url: str, as_of: datetime) -> list[dict[str, str | None]]:
    """As the job `expire` cuts the night."""
    database = Database(database_url)
    try:
        async with database.session() as session:
            firsts = [str(first) for first in await cut_due_holders(session, as_of, HOLDERS_A_JOB)]
    finally:
        await database.close()
    ends: list[str | None] = [*firsts[1:], None]
    return [
        {"as_of": as_of.isoformat(), "first": first, "before": end} for first, end in zip(firsts, ends, strict=True)
    ]


@asynccontextmanager
async def _worker(site: Site, shift: Shift) -> AsyncIterator[Process]:
    """A process that is ready to begin. Raises RuntimeError if it dies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.ledger.night", stdin=PIPE, stdout=PIPE, env=environment_of(site.settings)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(shift) + b"\n")
        if not await process.stdout.readline():
            raise RuntimeError("a worker did not start")
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def _finish(process: Process) -> Done:
    """Let it begin; what it says at the end."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    said = await process.stdout.readline()
    if not said:
        raise RuntimeError("a worker failed")
    return msgspec.json.decode(said, type=Done)


async def _work(shift: Shift) -> Done:
    async with Runtime.open(shift.database_url, keys=get_settings().keys()) as runtime:
        collect_rarely()
        print(flush=True)
        sys.stdin.readline()
        for args in shift.ranges:
            async with runtime.database.transaction() as session:
                if failed := await expire_range(runtime, session, [HeldJob(new_id(), args, 1)]):
                    raise next(iter(failed.values()))
        return Done(runtime.engine.statistics.longest * 1000)


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.readline(), type=Shift)
    sys.stdout.write(msgspec.json.encode(uvloop.run(_work(wanted))).decode() + "\n")
