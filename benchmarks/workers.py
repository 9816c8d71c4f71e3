"""`tessera bench workers`: from a row in the table of jobs to its effect, against Dramatiq doing nothing."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import quantiles

import asyncpg
import psutil
import uvloop

from benchmarks.accrual import measure_accrual
from benchmarks.ledger.site import Plan, connected
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.roles import ACTOR, QUEUE, noop_actor, noop_broker
from benchmarks.serving import environment_of, house, prepare, process
from server.migrate import upgrade
from server.settings import Settings

JOBS_A_SECOND = 3000
PATIENCE = 120
PAUSE = 0.25
"""Seconds between the jobs that a quiet system is given: each finds it idle."""


def bench_workers(plan: Plan) -> Outcome:
    """Jobs a second from row to effect, through relay, broker and worker, each a process of its own; and on a quiet
    system how long one takes, and what relay, worker and scheduler cost while there is nothing to do;
    and accrual from a file.

    Raises ServicesError, RuntimeError.
    """
    with house("tessera bench workers", with_valkey=True) as settings:
        jobs = uvloop.run(_measure(settings, plan))
        files = uvloop.run(measure_accrual(settings, plan))
        return Outcome([*jobs.results, *files.results], jobs.ratios | files.ratios)


async def _measure(settings: Settings, plan: Plan) -> Outcome:
    await upgrade(settings.database_url or "")
    count = max(100, int(plan.seconds * JOBS_A_SECOND))
    rounds: dict[str, list[Result]] = {"workers": [], "dramatiq_noop": []}
    async with connected(settings.database_url or "") as connection:
        for _ in range(plan.rounds):
            rounds["workers"].append(await _jobs(settings, connection, count))
            rounds["dramatiq_noop"].append(await _messages(settings, count))
        quiet = await _quiet(settings, connection, plan.seconds)
    ratios = {"workers_vs_dramatiq_noop": ratio(rounds, "workers", "dramatiq_noop")}
    return Outcome([*map(middle, rounds.values()), quiet], ratios)


async def _jobs(settings: Settings, connection: asyncpg.Connection, count: int) -> Result:
    """All rows are there before anybody looks for them; time runs from when the processes are up."""
    async with _running(settings, "relay", "worker"):
        await _add(connection, 1)
        await _until(lambda: _is_done(connection), "the first job is not done")
        began = time.perf_counter()
        await _add(connection, count)
        await _until(lambda: _is_done(connection), "jobs are not done")
        return Result("workers", count / (time.perf_counter() - began), more={"jobs": float(count)})


async def _messages(settings: Settings, count: int) -> Result:
    """All messages are there before the worker begins; time runs from when the first is done."""
    broker = noop_broker(settings)
    actor = noop_actor(broker)

    def send() -> None:
        for number in range(count):
            actor.send(number)

    def left() -> int:
        # The messages themselves are kept until they are done.
        found: int = broker.client.hlen(f"noop:{QUEUE}.msgs")
        return found

    async def begun() -> bool:
        return await asyncio.to_thread(left) < count

    async def done() -> bool:
        return await asyncio.to_thread(left) == 0

    await asyncio.to_thread(send)
    async with _running(settings, "dramatiq"):
        await _until(begun, "the first message is not done")
        began, there = time.perf_counter(), await asyncio.to_thread(left)
        await _until(done, "messages are not done")
        rate = there / (time.perf_counter() - began)
    await asyncio.to_thread(broker.client.close)
    return Result("dramatiq_noop", rate, more={"messages": float(there)})


async def _quiet(settings: Settings, connection: asyncpg.Connection, seconds: float) -> Result:
    # With an alliance there is a calendar to be looked at.
    await prepare(settings.database_url or "", settings.keys(), members=0)
    async with _running(settings, "relay", "worker", "scheduler") as programs:
        await _add(connection, 1)
        await _until(lambda: _is_done(connection), "the first job is not done")
        spent = _processor_seconds(programs)
        await asyncio.sleep(seconds)
        idle = (_processor_seconds(programs) - spent) / seconds
        waits = [await _one(connection) for _ in range(max(10, int(seconds / PAUSE)))]
    hundredths = quantiles(waits, n=100)
    return Result("quiet", 1 / PAUSE, hundredths[49], hundredths[98], more={"idle_percent_of_a_core": 100 * idle})


async def _one(connection: asyncpg.Connection) -> float:
    """Milliseconds, by the database's clock, from a job's row to its effect."""
    await asyncio.sleep(PAUSE)
    id_ = await _add(connection, 1)
    await _until(lambda: _is_done(connection), "a job is not done")
    waited: float = await connection.fetchval(
        """SELECT extract(epoch FROM booked_at - uuid_extract_timestamp(holder_id))::float8 * 1000
           FROM event WHERE holder_id = $1""",
        id_,
    )
    return waited


async def _add(connection: asyncpg.Connection, count: int) -> object:
    """Add jobs as a command would; the id of one."""
    async with connection.transaction():
        id_ = await connection.fetchval(
            """WITH added AS (INSERT INTO job (id, actor, args)
                              SELECT uuidv7(), $1, jsonb_build_object('n', n) FROM generate_series(1, $2) AS n
                              RETURNING id)
               SELECT id FROM added LIMIT 1""",
            ACTOR,
            count,
        )
        await connection.execute("NOTIFY tessera_jobs")
    return id_


async def _is_done(connection: asyncpg.Connection) -> bool:
    return not await connection.fetchval("SELECT EXISTS (SELECT FROM job WHERE actor = $1)", ACTOR)


async def _until(condition: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Wait until something is so. Raises RuntimeError if it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise RuntimeError(otherwise) from None


def _processor_seconds(programs: list[psutil.Process]) -> float:
    return sum(sum(program.cpu_times()[:2]) for program in programs)


@asynccontextmanager
async def _running(settings: Settings, *roles: str) -> AsyncIterator[list[psutil.Process]]:
    """These roles as processes, until the end of the block."""
    async with AsyncExitStack() as stack:
        programs = []
        for role in roles:
            command = [sys.executable, "-m", "benchmarks.roles", role]
            started = stack.enter_context(process(command, environment_of(settings), settings.home / f"{role}.log"))
            programs.append(psutil.Process(started.pid))
        yield programs
