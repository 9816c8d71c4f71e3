"""`tessera bench seal`: what it costs to put operations into the log, against what it cost to post them."""

import asyncio
import random
import sys
import time
from uuid import UUID

import asyncpg
import psutil
import uvloop

from alliance.proofs import commands as log
from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime, collect_rarely
from benchmarks import load
from benchmarks.ledger.site import BATCH, Plan, connected, opened, purchases
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.requests import earn_body
from benchmarks.serving import environment_of, house, loaded, operator_token, prepare, process, serving
from domain.ledger.request import Posted
from server.settings import Settings

CAUGHT_UP_SECONDS = 300
CONNECTIONS = 64
HOST = "127.0.0.1"


def bench_seal(plan: Plan) -> Outcome:
    """Post purchases of one line in batches, then seal them, each alone: `sealing_share` is what an operation costs the
    processor to seal, of what it cost to post. And earn over GraphQL while nothing is sealed, and while all is.

    Raises ServicesError, RuntimeError.
    """
    with house("tessera bench seal") as settings:
        return uvloop.run(_measure(settings, plan))


async def _measure(settings: Settings, plan: Plan) -> Outcome:
    collect_rarely()  # as the processes that post and seal do
    database_url = settings.database_url or ""
    await prepare(database_url, settings.keys(), plan.few)
    async with opened(database_url, settings.keys()) as (runtime, members):
        posting = await _post(runtime, members, plan.purchases)
        connection = await runtime.database.connect(**log.SEALER)
        try:
            sealing = await _seal(connection, settings.log_keys())
        finally:
            await connection.close()
    rounds = await _earn(settings, plan)
    ratios = {
        "sealing_share": _cost(sealing) / _cost(posting),
        "seal_vs_post": sealing.rate / posting.rate,
        "earn_sealed_vs_earn": ratio(rounds, "earn_sealed", "earn"),
    }
    return Outcome([posting, sealing, *map(middle, rounds.values())], ratios)


async def _post(runtime: Runtime, members: list[UUID], count: int) -> Result:
    """The engine alone: what comes before the ledger is not counted."""
    spent = _Spent(await runtime.engine._connected())
    for _ in range(0, count, BATCH):
        requests = purchases(runtime, random.choices(members, k=BATCH))
        spent.go_on()
        outcomes = await runtime.engine.post_many(requests)
        spent.pause()
        if not all(isinstance(outcome, Posted) for outcome in outcomes):
            raise RuntimeError("a purchase was refused")
    return spent.result("post", count)


async def _seal(connection: asyncpg.Connection, keys: list[PrivateKey]) -> Result:
    await log.prepare(connection, keys)
    spent, sealed = _Spent(connection), 0
    spent.go_on()
    while (block := await log.seal(connection, keys)).added:
        sealed = block.size
    spent.pause()
    return spent.result("seal", sealed)


async def _earn(settings: Settings, plan: Plan) -> dict[str, list[Result]]:
    """Earning over GraphQL without a sealer and with one, in turn."""
    token = operator_token(settings)
    rounds: dict[str, list[Result]] = {"earn": [], "earn_sealed": []}
    sealer = [sys.executable, "-m", "server.cli", "scheduler"]
    async with serving("earn", settings) as (port, _):
        for number in range(plan.rounds):
            for name, results in rounds.items():
                body, expect = earn_body(f"{name}-{number}"), '"__typename":"Earned"'
                work = load.Plan(HOST, port, "/graphql", body, expect, CONNECTIONS, plan.seconds, token, plan.few)
                if name == "earn":
                    results.append(await loaded(name, work))
                    continue
                with process(sealer, environment_of(settings), settings.home / "scheduler.log"):
                    await _caught_up(settings.database_url or "")
                    results.append(await loaded(name, work))
    return rounds


async def _caught_up(database_url: str) -> None:
    """Wait until the sealer has sealed what there is. Raises TimeoutError."""
    left = "SELECT (SELECT count(*) FROM operation) - (SELECT count(*) FROM log_leaf)"
    async with asyncio.timeout(CAUGHT_UP_SECONDS), connected(database_url) as connection:
        while await connection.fetchval(left):  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.1)


class _Spent:
    """Seconds between `go_on` and `pause`, and of the processor's those of ours and of who serves a connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._server = psutil.Process(connection.get_server_pid())
        self._sums = [0.0, 0.0, 0.0]

    def go_on(self) -> None:
        """Count from now."""
        self._sums = [total - now for total, now in zip(self._sums, self._now(), strict=True)]

    def pause(self) -> None:
        """Do not count what comes now."""
        self._sums = [total + now for total, now in zip(self._sums, self._now(), strict=True)]

    def result(self, name: str, count: int) -> Result:
        """What so many operations took."""
        seconds, python, server = self._sums
        costs = {"python_us": python / count * 1e6, "postgres_us": server / count * 1e6}
        return Result(name, count / seconds, more=costs)

    def _now(self) -> tuple[float, float, float]:
        times = self._server.cpu_times()
        return time.perf_counter(), time.process_time(), times.user + times.system


def _cost(result: Result) -> float:
    """Microseconds of processor time an operation."""
    return result.more["python_us"] + result.more["postgres_us"]
