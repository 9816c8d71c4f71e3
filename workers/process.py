"""What relay, worker and scheduler share as processes: their settings, and how they start and stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import asyncpg
import redis
import sqlalchemy.exc
import uvloop
from dramatiq.brokers.redis import RedisBroker

from alliance.proofs.notes import PrivateKey
from domain.codes.rules import Codes
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.privacy.keys import KeyProvider
from workers.watchdog import watched

#: What a database or broker raises that is away for a while: log it, wait, go on.
OUTAGES = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement sent while the connection is being lost
    sqlalchemy.exc.DBAPIError,
    redis.RedisError,
)

#: Seconds before another try after an outage.
PAUSE = 1.0


class Settings(Protocol):
    """What the processes read of the settings. Both URLs must be set: the caller has found or started the servers."""

    @property
    def database_url(self) -> str | None:
        """PostgreSQL, as a libpq URL."""

    @property
    def redis_url(self) -> str | None:
        """Valkey or Redis: `redis://...`, or `unix://...` for a socket."""

    def keys(self) -> KeyProvider:
        """The keys of what is personal."""

    @property
    def worker_threads(self) -> int:
        """Messages that a worker process has in hand at once."""

    @property
    def job_redelivery(self) -> float:
        """Seconds after which a job that was handed out and not begun is handed out again."""

    @property
    def shutdown_seconds(self) -> float:
        """Seconds that jobs in hand get when a worker is told to stop."""

    @property
    def stall_seconds(self) -> float:
        """Seconds that the event loop may be blocked before the process ends."""

    @property
    def feed_poll(self) -> float:
        """Seconds between looks into the folders of feeds."""

    @property
    def webhook_private(self) -> bool:
        """Whether webhooks may go anywhere: for development."""

    def secret(self, name: Literal["fingerprint"]) -> bytes:
        """The secret by which a repeated idempotency key is compared."""

    def codes(self) -> Codes:
        """What reads the codes that members showed at tills."""

    def log_keys(self) -> list[PrivateKey]:
        """The keys that sign the log's checkpoints."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process depends on, and what posts in it."""

    database: Database
    broker: RedisBroker | None = None
    engine: PostingEngine | None = None


Page = Callable[[asyncio.Event, Parts], Coroutine[Any, Any, None]]
"""Shows how a process is, until the event is set."""


async def no_page(stop: asyncio.Event, parts: Parts) -> None:
    """Show nothing."""


def run_until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]], stall_seconds: float) -> None:
    """Run `serve` until it returns; SIGTERM and SIGINT set the event it is given. See `watched` for `stall_seconds`."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with watched(loop, stall_seconds):
            await serve(stop)

    uvloop.run(main())


async def pause(seconds: float, *wakers: asyncio.Event) -> None:
    """Wait until one of the events is set, at most so many seconds."""
    waiting = [asyncio.ensure_future(event.wait()) for event in wakers]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def required(url: str | None, name: str) -> str:
    """The URL. Raises ValueError if it is not set."""
    if not url:
        raise ValueError(f"{name} is not set")
    return url
