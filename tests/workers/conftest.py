"""A broker of the test worker's own, and relay and worker running inside the test."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from dramatiq.brokers.redis import RedisBroker

from alliance.runtime import Runtime
from domain.database import Database
from tests.keys import KEYS
from tests.workers.support import Process, Processes, Start, Until
from workers.actor import Actor
from workers.broker import make_broker
from workers.relay import relay
from workers.worker import work

AGAIN_AFTER = timedelta(seconds=1)


@pytest.fixture(scope="session")
def own_redis_url(redis_url: str) -> str:
    """A database of the server that no other test worker uses: each may flush its own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"{redis_url.partition('?')[0]}?db={number + 1}"


@pytest.fixture
def broker(own_redis_url: str) -> Iterator[RedisBroker]:
    """An empty broker."""
    opened = make_broker(own_redis_url)
    opened.client.flushdb()
    yield opened
    opened.client.close()


@pytest.fixture
async def house(database: Database, database_url: str) -> AsyncIterator[Runtime]:
    """A runtime without an alliance."""
    async with Runtime.open(database_url, keys=KEYS) as opened:
        yield opened


@pytest.fixture
def processes(house: Runtime, own_redis_url: str, broker: RedisBroker) -> Processes:
    """A relay and a worker that know these actors, as long as the block lasts."""

    @asynccontextmanager
    async def running(actors: Mapping[str, Actor]) -> AsyncIterator[None]:
        stop = asyncio.Event()
        consumer = make_broker(own_redis_url)
        tasks = [
            asyncio.create_task(relay(house.database, broker, stop, actors=actors, again_after=AGAIN_AFTER)),
            asyncio.create_task(work(house, consumer, stop, actors=actors, threads=4, grace=1)),
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            consumer.client.close()

    return running


@pytest.fixture
def until() -> Until:
    """Wait until something is so; fails after a minute."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await condition():  # noqa: ASYNC110 - it happens in a database
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
async def start(database: Database, database_url: str, own_redis_url: str) -> AsyncIterator[Start]:
    """Start a role as a process, killed at the end if it is still there."""
    async with AsyncExitStack() as stack:

        async def run(role: str) -> Process:
            program = str(Path(__file__).with_name("process.py"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, program, role, database_url, own_redis_url, stdout=asyncio.subprocess.PIPE
            )

            async def end() -> None:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

            stack.push_async_callback(end)
            return process

        yield run
