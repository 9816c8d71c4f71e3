"""What a process of ours holds: the database, the posting engine, and what the alliance file says, kept current."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import select

from alliance.agreements.book import AgreementBook, load_book
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.programs.catalogue import Catalogue, load_catalogue
from domain.programs.model import AllianceRow

CHANNEL = "tessera_catalogue"
POLL_SECONDS = 5.0

log = structlog.get_logger()


class _MemberStatus:
    """Loads members' statuses for the engine; the ledger itself knows holders, not members."""

    shared_lock = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, str]:
        rows = await connection.fetch("SELECT id, status FROM member WHERE id = ANY($1)", keys)
        return {row["id"]: row["status"] for row in rows}


@dataclass(slots=True)
class Runtime:
    """Open one a process. `catalogue` and `agreements` are replaced, never changed: take them once a call."""

    database: Database
    engine: PostingEngine
    catalogue: Catalogue
    agreements: AgreementBook

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str, *, pool_size: int = 8) -> AsyncIterator["Runtime"]:
        """Connect, start the engine and keep the catalogue current; all is closed at the end of the block.

        Raises OSError or asyncpg.PostgresError if the database is not there.
        """
        database = Database(database_url, pool_size=pool_size)
        watcher: asyncio.Task[None] | None = None
        engine = PostingEngine(database, _MemberStatus())
        try:
            await engine.start()
            async with database.session() as session:
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
        async with self.database.session() as session:
            revision = await session.scalar(select(AllianceRow.revision))
            if revision is None or revision == self.catalogue.revision:
                return
            self.agreements = await load_book(session)
            self.catalogue = await load_catalogue(session)

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
                    await asyncio.wait_for(changed.wait(), POLL_SECONDS)
                changed.clear()
        finally:
            if connection is not None:
                connection.terminate()
