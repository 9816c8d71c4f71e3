"""A ledger that synchronous tests can call."""

from collections.abc import Iterator

import pytest

from domain.database import Database
from domain.ledger.engine import PostingEngine
from tests.properties.support import Loop


@pytest.fixture
def ledger(database: Database, database_url: str) -> Iterator[tuple[Loop, PostingEngine]]:
    """A loop in a thread, and an engine that runs in it."""
    loop = Loop()

    async def start() -> PostingEngine:
        engine = PostingEngine(Database(database_url, pool_size=2))
        await engine.start()
        return engine

    engine = loop.run(start())
    yield loop, engine
    loop.run(engine.stop())
    loop.run(engine.database.close())
    loop.close()
