"""What a process of ours holds: the database, the posting engine, and what the alliance file says, kept current."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import AgreementBook, load_book
from alliance.clearing.funding import Funders
from alliance.clearing.law import StricterExpiry
from alliance.clearing.riders import Crediting
from domain.codes.rules import Codes
from domain.database import Database
from domain.guard.rules import GuardState, MemberGuard
from domain.ledger.engine import PostingEngine
from domain.ledger.parts import Guard
from domain.ledger.standing import Standing
from domain.privacy.commands import require_right_keys
from domain.privacy.keys import KeyProvider
from domain.programs.catalogue import Catalogue, load_catalogue
from domain.programs.guarding import GuardTerms
from domain.programs.model import AllianceRow

CHANNEL = "tessera_catalogue"
POLL_SECONDS = 5.0

log = structlog.get_logger()


class _MemberStatus:
    """Loads how members and pools stand, for the engine; the ledger itself knows holders."""

    shared_lock = None

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, Standing]:
        rows = await connection.fetch(
            """SELECT m.id, m.status, m.jurisdiction, m.frozen_until, g.changed, g.locked_at, g.locked_until
               FROM member m LEFT JOIN member_guard g ON g.holder_id = m.id WHERE m.id = ANY($1)
               UNION ALL SELECT id, status, NULL, NULL, NULL, NULL, NULL FROM pool WHERE id = ANY($1)""",
            keys,
        )
        return {
            id_: Standing(status, jurisdiction, until, None if changed is None else self._guard(changed, *lock))
            for id_, status, jurisdiction, until, changed, *lock in rows
        }

    def _guard(self, changed: dict[str, str], locked_at: datetime | None, locked_until: datetime | None) -> Guard:
        return MemberGuard(GuardState.of(locked_at, locked_until, changed), self._terms)

    def _terms(self, currency: str) -> GuardTerms:
        return self._catalogue().issuer_of(currency).guard


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[AsyncSession]:
    """A session whose reads are of one instant: what is applied meanwhile is read whole, next time, or not at all."""
    async with database.session() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


@dataclass(slots=True)
class Runtime:
    """Open one a process. `catalogue` and `agreements` are replaced, never changed: take them once a call.

    `codes` are what members show at tills, where the process has the keys.
    """

    database: Database
    engine: PostingEngine
    catalogue: Catalogue
    agreements: AgreementBook
    codes: Codes | None = None
    _refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str, *, keys: KeyProvider, pool_size: int = 8) -> AsyncIterator["Runtime"]:
        """Connect, start the engine and keep the catalogue current; all is closed at the end of the block.

        Raises OSError or asyncpg.PostgresError if the database is not there, WrongKeys if it was sealed with others.
        """
        database = Database(database_url, pool_size=pool_size, keys=keys)
        watcher: asyncio.Task[None] | None = None
        runtime: Runtime
        status = _MemberStatus(lambda: runtime.catalogue)
        engine = PostingEngine(database, status, Crediting(lambda: runtime.agreements))
        engine.funder = Funders(lambda: runtime.agreements)
        engine.law = StricterExpiry(lambda: runtime.catalogue)
        try:
            async with database.transaction() as session:
                await require_right_keys(session)
            await engine.start()
            async with _snapshot(database) as session:
                runtime = cls(database, engine, await load_catalogue(session), await load_book(session))
            watcher = asyncio.create_task(runtime._watch(), name="catalogue-watcher")
            yield runtime
        finally:
            if watcher is not None:
                watcher.cancel()
                await asyncio.gather(watcher, return_exceptions=True)
            await engine.stop()
            await database.close()

    async def refresh(self) -> None:
        """Read catalogue and agreements again if a newer revision was applied."""
        async with self._refreshing:
            async with _snapshot(self.database) as session:
                revision = await session.scalar(select(AllianceRow.revision))
                if revision is None or revision == self.catalogue.revision:
                    return
                agreements, catalogue = await load_book(session), await load_catalogue(session)
            self.agreements, self.catalogue = agreements, catalogue

    async def _watch(self) -> None:
        """Refresh when a NOTIFY comes, and every few seconds in case one was lost."""
        changed = asyncio.Event()
        connection: asyncpg.Connection | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self.database.connect()
                        await connection.add_listener(CHANNEL, lambda *_: changed.set())
                    await self.refresh()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
                    log.warning("catalogue not refreshed", reason=type(fault).__name__)
                except Exception:
                    log.exception("catalogue not refreshed")
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):  # wait_for may lose the cancellation that ends this
                        await changed.wait()
                changed.clear()
        finally:
            if connection is not None:
                connection.terminate()


def collect_rarely() -> None:
    """Let the garbage collector look at what calls leave behind, and at nothing else; once a process has started.

    What has been built by now lives until the end. And while a call waits for its batch, it is not garbage: with the
    interpreter's thresholds (700 objects) calls were looked at so often that it cost a fifth of their time, and a third
    of that of purchases in batches.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
