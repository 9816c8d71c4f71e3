"""What benchmarks run on: a folder and a database server that are gone afterwards, members, servers, tokens."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import aiohttp
import asyncpg
from sqlalchemy import make_url

from alliance.file import apply, parse
from benchmarks import load
from benchmarks.outcome import Result
from domain.database import Database
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, IdentifierRef
from domain.privacy.keys import KeyProvider
from domain.programs.catalogue import load_catalogue
from resolvers.viewer import Scope, Viewer
from server.access.tokens import issue_token
from server.embedded import start_services
from server.migrate import upgrade
from server.settings import Settings

STARTUP_SECONDS = 60
WHO = UUID("00000000-0000-7000-8000-7e55e7acbe00")


@contextmanager
def house(owner: str, *, with_valkey: bool = False) -> Iterator[Settings]:
    """Settings of a home and servers of one's own. Raises ServicesError."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        home = Path(folder)
        with start_services(home, owner=owner, with_valkey=with_valkey) as services:
            yield Settings(home=home, database_url=services.database_url, redis_url=services.redis_url)


def operator_token(settings: Settings) -> str:
    """A token that may do everything."""
    return issue_token(settings.secret("token"), Viewer("operator", WHO, WHO, None, None, frozenset(Scope)))


async def prepare(database_url: str, keys: KeyProvider, members: int) -> None:
    """The sample alliance with so many members, each recognised by a card of the grocer: 0, 1, 2 ..."""
    await upgrade(database_url)
    database = Database(database_url, keys=keys)
    now = datetime.now(UTC)
    sample = (files("server.samples") / "demo.yaml").read_text()
    try:
        async with database.transaction() as session:
            await apply(session, parse(sample, "demo.yaml"), now)
        async with database.session() as session:
            catalogue = await load_catalogue(session)
        for first in range(0, members, 1000):
            cards = [IdentifierRef("CARD", None, str(number)) for number in range(first, min(first + 1000, members))]
            async with database.transaction() as session:
                await enrol_many(
                    session, catalogue, [EnrolAsk("grocer", "STORE", None, (card,), now) for card in cards]
                )
    finally:
        await database.close()


async def copy_of(database_url: str, name: str) -> str:
    """The URL of a new database that is a copy of this one, to which nobody may be connected."""
    url = make_url(database_url).set(drivername="postgresql")
    admin = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}"')
    finally:
        await admin.close()
    return url.set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def serving(name: str, settings: Settings, database_url: str | None = None) -> AsyncIterator[tuple[int, int]]:
    """Port and process id of a server: ours for `earn`, else one of apps.py."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    ours = ["server.cli", "api", "--host", "127.0.0.1", "--port", str(port)]
    module = ours if name == "earn" else ["benchmarks.apps", name, str(port)]
    environment = environment_of(settings, database_url)
    with process([sys.executable, "-m", *module], environment, settings.home / f"{name}.log") as server:
        await _await_answer(server, port, settings.home / f"{name}.log")
        yield port, server.pid


def environment_of(settings: Settings, database_url: str | None = None) -> dict[str, str]:
    """The environment of a process with these settings, on that database."""
    said = {"TESSERA_HOME": str(settings.home), "TESSERA_DATABASE_URL": database_url or settings.database_url or ""}
    return dict(os.environ) | said | {"TESSERA_REDIS_URL": settings.redis_url or ""}


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended at the end of the block."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(timeout=30)


async def _await_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until GraphQL is answered, with whatever status. Raises RuntimeError if the process ends instead."""
    deadline = time.monotonic() + STARTUP_SECONDS
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                async with session.post(f"http://127.0.0.1:{port}/graphql", json={"query": "{ __typename }"}) as answer:
                    if answer.status < 500:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")  # noqa: ASYNC240


async def loaded(name: str, plan: load.Plan) -> Result:
    """What came of a load. Raises RuntimeError if any request failed."""
    measured = await load.measure(plan)
    if measured.failed:
        raise RuntimeError(f"{name}: {measured.failed} requests failed, the first with {measured.failure}")
    return Result(name, measured.rate, measured.p50_ms, measured.p99_ms, plan.connections, measured.client_us)
