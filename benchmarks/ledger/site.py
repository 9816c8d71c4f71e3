"""Where the parts of the benchmark work: databases of their own on one server, requests as the till would make them."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import make_url

from alliance.clearing.commands import Detail, earn_request
from alliance.runtime import Runtime
from benchmarks.serving import WHO, copy_of
from domain.ledger.commands import Earn
from domain.ledger.request import Key
from domain.privacy.keys import KeyProvider
from server.settings import Settings

BATCH = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` a measurement, made `rounds` times in turn with what it is compared with. `purchases` are posted to be
    weighed; `wallets` is the larger number of wallets, `obligations` that of what merchants owe in a cycle, `lines`
    that of a file that is reconciled, `lots` that of what is out at a month's end."""

    seconds: float = 4.0
    rounds: int = 3
    purchases: int = 100_000
    wallets: int = 1_000_000
    obligations: int = 10_000_000
    lines: int = 100_000
    lots: int = 200_000

    @property
    def few(self) -> int:
        """The smaller number of wallets, and of members where nothing else is said."""
        return self.wallets // 100


@dataclass(slots=True)
class Site:
    """A server whose database has the sample alliance and its members."""

    settings: Settings
    plan: Plan
    _copies: int = field(default=0)

    async def database(self, like: str | None = None) -> str:
        """The URL of a fresh copy of that database, or of another copy."""
        self._copies += 1
        return await copy_of(like or self.settings.database_url or "", f"bench_{self._copies}")

    async def drop(self, database_url: str) -> None:
        """Give up a copy that takes much room. Nobody may be connected to it."""
        async with connected(self.settings.database_url or "") as connection:
            await connection.execute(f'DROP DATABASE "{make_url(database_url).database}"')


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that takes and gives JSON as text."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened(database_url: str, keys: KeyProvider) -> AsyncIterator[tuple[Runtime, list[UUID]]]:
    """A runtime on this database, and the ids of all its members."""
    async with connected(database_url) as connection:
        members = [row["id"] for row in await connection.fetch("SELECT id FROM member ORDER BY id")]
    async with Runtime.open(database_url, keys=keys, pool_size=2) as runtime:
        yield runtime, members


def purchases(runtime: Runtime, members: Sequence[UUID], lines: int = 1) -> list[Earn]:
    """A purchase at the grocer for each of these members, of so many lines."""
    merchant = runtime.catalogue.merchants["grocer"]
    now = datetime.now(UTC)
    details: list[Detail] = [(None, f"{4_006_381_333_000 + line}", "GROCERY", "1", "12.34") for line in range(lines)]
    return [
        earn_request(
            runtime,
            member_id=member,
            merchant=merchant,
            occurred_at=now,
            as_of=now,
            key=Key(WHO, WHO, str(uuid4()), os.urandom(16)),
            client_id=WHO,
            lines=[(1234, "GROCERY")] * lines,
            details=details,
            money="USD",
            channel="STORE",
            store="330",
            order_ref=f"330-{number:07d}",
        )
        for number, member in enumerate(members)
    ]


async def timed(act: Awaitable[T]) -> tuple[T, float]:
    """What came of it, and the seconds it took."""
    started = time.perf_counter()
    done = await act
    return done, time.perf_counter() - started
