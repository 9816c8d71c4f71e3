"""How an API process hears of tokens that were revoked: at once by NOTIFY, and by looking every few seconds."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from domain.database import Database
from domain.sessions.commands import CHANNEL, REVOCATIONS_KEPT, revoked_since
from server.access.tokens import TokenVerifier

POLL_SECONDS = 5.0
OVERLAP = timedelta(minutes=1)
"""What was written so long before the last look is looked at again: it may have been committed since."""

log = structlog.get_logger()


class Revocations:
    """Tells a verifier what was revoked."""

    def __init__(self, database: Database, verifier: TokenVerifier) -> None:
        self._database, self._verifier = database, verifier
        self._seen = datetime.now(UTC) - REVOCATIONS_KEPT

    async def refresh(self) -> None:
        """Tell what is new. Raises OSError or a fault of the database's."""
        began = datetime.now(UTC)
        async with self._database.reader() as session:
            found = await revoked_since(session, self._seen)
        self._verifier.revoke((id_, None if before is None else before.timestamp()) for id_, before in found)
        self._seen = began - OVERLAP

    async def watch(self) -> None:
        """Until cancelled."""
        changed = asyncio.Event()
        connection: asyncpg.Connection | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._database.connect()
                        await connection.add_listener(CHANNEL, lambda *_: changed.set())
                    await self.refresh()
                except Exception as fault:
                    log.warning("revocations not read", reason=type(fault).__name__)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await changed.wait()
                changed.clear()
        finally:
            if connection is not None:
                connection.terminate()
