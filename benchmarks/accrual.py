"""Accrual from a file: purchases of one line by known members, from Parquet to postings, through relay and worker.

Its baseline reads the same rows and earns them as people do: an ORM transaction a row, sixteen at a time.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psutil

from alliance.file import apply, export, parse
from benchmarks.conventional import Shop
from benchmarks.ledger.site import Plan, connected
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.serving import WHO, copy_of, environment_of, prepare, process
from domain.database import Database
from domain.programs.catalogue import load_catalogue
from resolvers.viewer import Viewer
from schema.enums import Channel
from server.settings import Settings

ROWS_A_SECOND = 20_000
"""Rows of a file for each second that is asked for: enough for several parts, so that two workers have work."""
FEW = 16
"""Transactions that the baseline has open at a time; of its rows it does one in so many."""

PATIENCE = 300

FEED = """
feeds:
  - code: bench
    merchant: grocer
    url: file://FOLDER
    format: parquet
    columns: {key: receipt, orderRef: receipt, member: card, store: store, occurredAt: at, amount: total}
    constants: {memberType: CARD, channel: STORE}
"""


async def measure_accrual(settings: Settings, plan: Plan) -> Outcome:
    """`accrual` with one worker, `accrual_two` with two, and `accrual_orm`: rounds in turn.

    Raises RuntimeError, also where pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise RuntimeError("accrual from Parquet takes pyarrow: pip install 'tessera-loyalty[parquet]'")
    count = max(2000, int(plan.seconds * ROWS_A_SECOND))
    folder = settings.home / "feed"
    folder.mkdir()
    database_url = await copy_of(settings.database_url or "", "bench_accrual")
    await prepare(database_url, settings.keys(), plan.few)
    await _declare(database_url, folder)
    rounds: dict[str, list[Result]] = {"accrual": [], "accrual_two": [], "accrual_orm": []}
    for number in range(plan.rounds):
        for name, workers in (("accrual", 1), ("accrual_two", 2)):
            file = folder / f"{name}-{number}.parquet"
            await asyncio.to_thread(_write, file, count, plan.few)
            rounds[name].append(await _take_in(settings, database_url, file, count, workers))
        rounds["accrual_orm"].append(await _by_orm(settings, database_url, f"orm-{number}", count // FEW, plan.few))
    ratios = {
        "accrual_vs_orm": ratio(rounds, "accrual", "accrual_orm"),
        "accrual_two_vs_one": ratio(rounds, "accrual_two", "accrual"),
    }
    return Outcome([*map(middle, rounds.values())], ratios)


async def _declare(database_url: str, folder: Path) -> None:
    database = Database(database_url)
    try:
        async with database.transaction() as session:
            text = await export(session) + FEED.replace("FOLDER", str(folder))
            await apply(session, parse(text, "bench.yaml"), datetime.now(UTC))
    finally:
        await database.close()


def _write(path: Path, count: int, members: int) -> None:
    import pyarrow
    from pyarrow import parquet

    numbers = range(count)
    now = datetime.now(UTC)
    columns = {
        "receipt": [f"{path.stem}-{number:09d}" for number in numbers],
        "card": [str(number * 7919 % members) for number in numbers],
        "store": ["330"] * count,
        "at": [now] * count,
        "total": [f"{1 + number % 90}.{number % 100:02d}" for number in numbers],
    }
    parquet.write_table(pyarrow.table(columns), path)


async def _take_in(settings: Settings, database_url: str, file: Path, count: int, workers: int) -> Result:
    """Time runs from when the processes are up and the folder is to be looked into, to the end of the run."""
    allowed = environment_of(settings, database_url) | {"TESSERA_FEED_ROOTS": f"file://{file.parent}"}
    Path(f"{file}.done").touch()  # noqa: ASYNC240 (it is no work)
    async with connected(database_url) as connection, _running(settings, allowed, workers) as programs:
        await _add(connection, "forget_keys")
        await _until(connection, "SELECT NOT EXISTS (SELECT FROM job)")
        began, spent = time.perf_counter(), _processor_seconds(programs)
        await _add(connection, "feeds")
        await _until(
            connection, f"SELECT EXISTS (SELECT FROM accrual_run WHERE file = '{file.name}' AND status = 'DONE')"
        )
        seconds, spent = time.perf_counter() - began, _processor_seconds(programs) - spent
        posted = await connection.fetchval("SELECT posted FROM accrual_run WHERE file = $1", file.name)
        if posted != count:
            raise RuntimeError(f"{posted} of {count} purchases were posted")
        memory = max(program.memory_info().rss for program in programs) / 1e6
    more = {"purchases": float(count), "memory_mb": memory, "workers_us": spent / count * 1e6}
    return Result("accrual" if workers == 1 else "accrual_two", count / seconds, more=more)


def _processor_seconds(programs: list[psutil.Process]) -> float:
    return sum(sum(program.cpu_times()[:2]) for program in programs)


@asynccontextmanager
async def _running(
    settings: Settings, environment: dict[str, str], workers: int
) -> AsyncIterator[list[psutil.Process]]:
    """A relay and so many workers; of the workers, what they are to the machine."""
    async with AsyncExitStack() as stack:
        started = []
        for number, role in enumerate(["relay", *["worker"] * workers]):
            command = [sys.executable, "-m", "server.cli", role]
            log = settings.home / f"accrual-{role}-{number}.log"
            started.append(stack.enter_context(process(command, environment, log)))
        yield [psutil.Process(one.pid) for one in started[1:]]


async def _add(connection: asyncpg.Connection, actor: str) -> None:
    async with connection.transaction():
        await connection.execute(
            """INSERT INTO job (id, actor, args, queue)
               VALUES (uuidv7(), $1, jsonb_build_object('as_of', now()), 'bulk')""",
            actor,
        )
        await connection.execute("NOTIFY tessera_jobs")


async def _until(connection: asyncpg.Connection, question: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not await connection.fetchval(question):  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise RuntimeError("the file was not taken in") from None


async def _by_orm(settings: Settings, database_url: str, prefix: str, count: int, members: int) -> Result:
    database = Database(database_url)
    async with database.session() as session:
        shop = Shop(database_url, settings.keys(), await load_catalogue(session))
    await database.close()
    viewer = Viewer("operator", WHO, WHO, None, None, frozenset())
    rows: Iterator[int] = iter(range(count))

    async def work() -> None:
        for number in rows:
            card = {"type": "CARD", "value": str(number * 7919 % members)}
            sent = {
                "idempotencyKey": f"{prefix}-{number:09d}",
                "merchant": "grocer",
                "member": {"identifier": card},
                "channel": Channel.STORE,
                "orderRef": f"{prefix}-{number:09d}",
                "amount": {"amount": f"{1 + number % 90}.{number % 100:02d}", "currency": "USD"},
            }
            await shop.earn(viewer, sent, datetime.now(UTC))

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(FEW)))
    return Result("accrual_orm", count / (time.perf_counter() - began), more={"purchases": float(count)})
