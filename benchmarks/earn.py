"""`tessera bench earn`: earning over HTTP, ours against baselines of the same run; and in bulk by the feed."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from alliance.file import apply, parse
from benchmarks import bulk, load
from domain.database import Database
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, IdentifierRef
from domain.programs.catalogue import load_catalogue
from resolvers.viewer import Scope, Viewer
from server.access.tokens import issue_token
from server.embedded import start_services
from server.migrate import upgrade
from server.settings import Settings

MEMBERS = 10_000
CONNECTIONS = (16, 64)
NAMES = ("bare", "noop", "earn", "conventional")
STARTUP_SECONDS = 60
WHO = UUID("00000000-0000-7000-8000-7e55e7acbe00")

EARN = """mutation Earn($input: EarnInput!) {
  earn(input: $input) {
    __typename
    ... on Earned { points operation { id } decidedBy { points } }
    ... on UserError { code message path }
  }
}"""


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement. `client_us` is what the generator itself spent on a request, on the same two cores."""

    name: str
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    connections: int | None = None
    client_us: float = 0.0
    more: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Flat, rounded."""
        flat = {name: value for name, value in asdict(self).items() if name != "more"} | self.more
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in flat.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All measurements of a run, and the ratios at the most connections."""

    results: list[Result]
    ratios: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "results": [result.to_json() for result in self.results],
            "ratios": {name: round(ratio, 3) for name, ratio in self.ratios.items()},
        }

    def show(self, console: Console) -> None:
        """For people."""
        table = Table("what", "connections", "a second", "p50 ms", "p99 ms", "client's cost, us")
        for column in table.columns[1:]:
            column.justify = "right"
        for result in self.results:
            times = ["" if value is None else f"{value:.1f}" for value in (result.p50_ms, result.p99_ms)]
            connections = str(result.connections or "")
            table.add_row(result.name, connections, f"{result.rate:,.0f}", *times, f"{result.client_us:.1f}")
        console.print(table)
        for result in self.results:
            for name, value in result.more.items():
                console.print(f"{result.name}: {name.replace('_', ' ')} {value:,.1f}")
        for name, ratio in self.ratios.items():
            console.print(f"{name} {ratio:.2f}")


def bench_earn(seconds: float, purchases: int) -> Outcome:
    """Measure on servers of its own, in a folder that is gone afterwards. Raises ServicesError, RuntimeError."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        home = Path(folder)
        with start_services(home, owner="tessera bench earn", with_valkey=False) as services:
            settings = Settings(home=home, database_url=services.database_url)
            return uvloop.run(_measure(settings, seconds, purchases))


async def _measure(settings: Settings, seconds: float, purchases: int) -> Outcome:
    await _prepare(settings.database_url or "")
    viewer = Viewer("operator", WHO, WHO, None, None, frozenset(Scope))
    token = issue_token(settings.secret("token"), viewer)
    results = []
    async with AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(_serving(name, settings)) for name in NAMES}
        for connections in CONNECTIONS:
            for name in NAMES:
                results.append(await _load(name, ports[name][0], token, connections, seconds))
        results.append(await _bulk(*ports["earn"], token, purchases))
    at_most = {result.name: result.rate for result in results if result.connections in (None, CONNECTIONS[-1])}
    ratios = {
        f"{one}_vs_{other}": at_most[one] / at_most[other]
        for one, other in (("earn", "noop"), ("noop", "bare"), ("earn", "conventional"))
    }
    return Outcome(results, ratios)


async def _prepare(database_url: str) -> None:
    """The sample alliance with MEMBERS members, each recognised by a card of the grocer."""
    await upgrade(database_url)
    database = Database(database_url)
    now = datetime.now(UTC)
    sample = (files("server.samples") / "demo.yaml").read_text()
    try:
        async with database.transaction() as session:
            await apply(session, parse(sample, "demo.yaml"), now)
        async with database.session() as session:
            catalogue = await load_catalogue(session)
        for first in range(0, MEMBERS, 1000):
            cards = [IdentifierRef("CARD", None, str(number)) for number in range(first, first + 1000)]
            async with database.transaction() as session:
                await enrol_many(
                    session, catalogue, [EnrolAsk("grocer", "STORE", None, (card,), now) for card in cards]
                )
    finally:
        await database.close()


@asynccontextmanager
async def _serving(name: str, settings: Settings) -> AsyncIterator[tuple[int, int]]:
    """Port and process id of a server: ours for `earn`, else one of apps.py."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    ours = ["server.cli", "api", "--host", "127.0.0.1", "--port", str(port)]
    module = ours if name == "earn" else ["benchmarks.apps", name, str(port)]
    said = {"TESSERA_HOME": str(settings.home), "TESSERA_DATABASE_URL": settings.database_url or ""}
    with _process([sys.executable, "-m", *module], os.environ | said, settings.home / f"{name}.log") as process:
        await _await_answer(process, port, settings.home / f"{name}.log")
        yield port, process.pid


@contextmanager
def _process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until GraphQL is answered, with whatever status. Raises RuntimeError if the process ends instead."""
    deadline = time.monotonic() + STARTUP_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                async with session.post(f"http://127.0.0.1:{port}/graphql", json={"query": "{ __typename }"}) as answer:
                    if answer.status < 500:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")  # noqa: ASYNC240


async def _load(name: str, port: int, token: str, connections: int, seconds: float) -> Result:
    """Load one server with its request."""
    if name == "bare":
        body, expect = '{"query": "{ hello }"}', '"world"'
    else:
        body, expect = _earn_body(f"{name}-{connections}"), '"__typename":"Earned"'
    plan = load.Plan("127.0.0.1", port, "/graphql", body, expect, connections, seconds, token, MEMBERS)
    measured = await load.measure(plan)
    if measured.failed:
        raise RuntimeError(f"{name}: {measured.failed} requests failed, the first with {measured.failure}")
    return Result(name, measured.rate, measured.p50_ms, measured.p99_ms, connections, measured.client_us)


def _earn_body(prefix: str) -> str:
    sent = {
        "idempotencyKey": f"{prefix}-KEY",
        "merchant": "grocer",
        "member": {"identifier": {"type": "CARD", "value": "CARD"}},
        "channel": "STORE",
        "orderRef": "ORDER",
        "amount": {"amount": "12.34", "currency": "USD"},
    }
    body = orjson.dumps({"query": EARN, "variables": {"input": sent}}).decode()
    # Numbers go where %(n)d and %(m)d are; a per cent sign of the document's own would have to be doubled.
    body = body.replace("%", "%%").replace("-KEY", "-%(n)d").replace('"ORDER"', '"order-%(n)d"')
    return body.replace('"value":"CARD"', '"value":"%(m)d"')


async def _bulk(port: int, process_id: int, token: str, purchases: int) -> Result:
    """Send the replay's baskets, whole, by the feed, and watch the server's memory meanwhile."""
    process = psutil.Process(process_id)
    plan = bulk.Plan("127.0.0.1", port, token, purchases, MEMBERS)
    before = most = process.memory_info().rss
    measuring = asyncio.create_task(bulk.measure(plan))
    while not measuring.done():
        most = max(most, process.memory_info().rss)
        await asyncio.wait([measuring], timeout=0.1)
    measured = measuring.result()
    if measured.summary["earned"] != purchases:
        raise RuntimeError(f"bulk: not all purchases were earned: {measured.summary}")
    memory = {"memory_before_mb": before / 1e6, "memory_most_mb": most / 1e6}
    sizes = {"purchases": float(purchases), "lines_each": measured.lines, "sent_mb": measured.megabytes}
    return Result("bulk", measured.rate, None, None, None, measured.client_us, sizes | memory)
