"""The way to PostgreSQL: short sessions from a pool, and dedicated connections for the engine and for LISTEN."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import orjson
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from domain.privacy.keys import KeyProvider
from domain.privacy.vault import SESSION_KEY, Vault

T = TypeVar("T")

# In UTC whatever the server is set to: a time that PostgreSQL writes as text is the same everywhere.
_SESSION = {"application_name": "tessera", "TimeZone": "UTC"}


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


# jsonb on the wire: a version, then JSON. COPY takes nothing but this binary form.
def _packed(value: object) -> bytes:
    return b"\x01" + orjson.dumps(value)


def _unpacked(sent: bytes) -> Any:
    return orjson.loads(sent[1:])


class Database:
    """One pool a process. `url` is a libpq URL (`postgresql://user@/name?host=/socket/folder`).

    What is personal is sealed and opened by `keys`, which each session carries; without them it stays sealed.
    """

    def __init__(self, url: str, *, pool_size: int = 8, keys: KeyProvider | None = None) -> None:
        self.url: URL = make_url(url).set(drivername="postgresql+asyncpg")
        carried = {} if keys is None else {SESSION_KEY: Vault(keys)}
        self.engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=4,
            pool_pre_ping=True,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            hide_parameters=True,
            execution_options=carried,
            connect_args={"timeout": 10, "server_settings": _SESSION},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, info=carried)
        self._standing: list[StandingReader] = []
        self._readers = async_sessionmaker(self.engine.execution_options(isolation_level="AUTOCOMMIT"), info=carried)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reads; never share one between tasks."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncSession]:
        """A session for reads that need no common snapshot: no BEGIN, each statement is one round trip."""
        async with self._readers() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end of the block, or undone if it raises."""
        async with self._sessions.begin() as session:
            yield session

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """A connection of one's own, JSON decoded, with these server settings."""
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=10, server_settings=_SESSION | settings)
        await connection.set_type_codec(
            "jsonb", encoder=_packed, decoder=_unpacked, schema="pg_catalog", format="binary"
        )
        return connection

    def standing(self) -> "StandingReader":
        """A connection of its own for one kind of read, closed with the pool."""
        self._standing.append(StandingReader(self.engine.execution_options(isolation_level="AUTOCOMMIT")))
        return self._standing[-1]

    async def close(self) -> None:
        """Close the pool."""
        for reader in self._standing:
            await reader.close()
        await self.engine.dispose()


class StandingReader:
    """One connection, kept open, for the reads of every call: no checkout, no ping, no BEGIN. One read at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def run(self, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `read` reads; it is run again on a new connection if the old one turns out to be lost."""
        if self._connection is not None:
            try:
                return await read(self._connection)
            except DBAPIError as fault:
                if not fault.connection_invalidated:
                    raise
                await self.close()
        self._connection = await self._engine.connect()
        return await read(self._connection)

    async def close(self) -> None:
        """Give the connection back; the next read takes another."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()
