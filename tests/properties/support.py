"""What the property tests share: a ledger to call from synchronous code, and what its books say."""

import asyncio
import uuid
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from domain.database import Database
from domain.ledger.verify import verify
from tests.ledger_model import END
from tests.ledger_support import ISSUERS, rows

T = TypeVar("T")

ENDLESS: dict[str, Any] = {
    "clawback": dict.fromkeys(ISSUERS.values(), "unlimited"),
    "floors": dict.fromkeys(ISSUERS),
}
"""Terms of a reversal by which what is missing is owed."""


class Loop:
    """An event loop in a thread, for Hypothesis, whose machines are synchronous."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(120)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


async def lots_of(database: Database, people: Iterable[uuid.UUID]) -> list[tuple[Any, ...]]:
    """The lots of these members, without ids."""
    found = await rows(
        database,
        "SELECT currency, granted_at, expires_at, granted, remaining, depth, held FROM lot WHERE holder_id = ANY($1)",
        [*people],
    )
    return sorted((row[0], row[1], row[2] or END, *row[3:]) for row in found)


async def differences(database: Database) -> list[object]:
    """What does not agree in the whole database."""
    async with database.session() as session:
        return list((await verify(session)).differences)
