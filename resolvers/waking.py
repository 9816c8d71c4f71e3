"""Waking those who wait for news: one listener a process, however many wait, and nobody looks again and again."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError

from alliance.feed import numbering
from alliance.settlement import steps
from domain.base import new_id
from domain.database import Database
from domain.events import progress
from domain.ledger import watching
from domain.ledger.errors import Overloaded
from resolvers.viewer import Viewer

MOST = 1000
"""Who may wait in a process at a time."""
MOST_OF_ONE = 20
"""Of one client and subject."""
RETRY_SECONDS = 1.0
LOOK_SECONDS = 60.0
CHANNELS = (steps.CHANNEL, watching.CHANNEL, numbering.CHANNEL, progress.CHANNEL)

log = structlog.get_logger()


class Waking:
    """Listens while anybody waits. What was told while the connection was lost wakes everybody."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._clients: Counter[tuple[UUID, UUID]] = Counter()
        self._listener: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @asynccontextmanager
    async def of(self, thing: UUID, viewer: Viewer) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever there is news of a thing. Raises Overloaded where too many wait."""
        client = (viewer.client_id, viewer.subject)
        if self._clients[client] >= MOST_OF_ONE or self._clients.total() >= MOST:
            raise Overloaded(retry_after=60)
        woken = asyncio.Event()
        self._clients[client] += 1
        self._waiting[thing].add(woken)
        try:
            if self._listener is None:
                self._listener = asyncio.create_task(self._listen(), name="waking")
            await self._listening.wait()
            yield woken
        finally:
            self._leave(thing, client, woken)

    @asynccontextmanager
    async def of_holder(self, holder_id: UUID, viewer: Viewer) -> AsyncIterator["Postings"]:
        """The same of a holder, whose postings tell only while they are watched. Raises Overloaded."""
        async with self.of(holder_id, viewer) as woken:
            postings = Postings(self._database, holder_id, woken)
            try:
                yield postings
            finally:
                await postings.leave()

    def _leave(self, thing: UUID, client: tuple[UUID, UUID], woken: asyncio.Event) -> None:
        self._clients[client] -= 1
        self._clients += Counter()  # forgets who waits for nothing
        self._waiting[thing].discard(woken)
        if not self._waiting[thing]:
            del self._waiting[thing]
        if not self._waiting and self._listener is not None:
            self._listener.cancel()
            self._listener = None
            self._listening.clear()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
                log.warning("nobody is woken for now", reason=type(fault).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        """Wake who waits, until the connection is lost."""
        connection = await self._database.connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            for channel in CHANNELS:
                await connection.add_listener(channel, self._told)
            self._listening.set()
            for thing in list(self._waiting):
                self._wake(thing)
            await lost.wait()
        finally:
            connection.terminate()

    def _told(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._wake(UUID(str(payload)))

    def _wake(self, thing: UUID) -> None:
        for woken in self._waiting.get(thing, ()):
            woken.set()


@dataclass(slots=True)
class Postings:
    """Waits for what is posted to a holder."""

    _database: Database
    _holder_id: UUID
    _woken: asyncio.Event
    _id: UUID = field(default_factory=new_id)
    _renewed: float | None = None

    async def expect(self) -> None:
        """From now on `wait` tells of what is posted: look after this, each time."""
        self._woken.clear()
        now = asyncio.get_running_loop().time()
        if self._renewed is None or now - self._renewed >= LOOK_SECONDS:
            async with self._database.transaction() as session:
                await watching.watch(session, self._holder_id, self._id)
            self._renewed = now

    async def wait(self) -> None:
        """Until something was posted; or for a while, in which points may have ended by themselves."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()

    async def leave(self) -> None:
        """Wait no more. Where that cannot be said now, the watch ends by its age."""
        with suppress(OSError, DBAPIError):
            async with self._database.transaction() as session:
                await watching.leave(session, self._holder_id, self._id)
