"""An engine on the test's database; every test that posted leaves books that prove themselves."""

from collections.abc import AsyncIterator

import pytest

from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.verify import verify


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    engine = PostingEngine(database)
    await engine.start()
    yield engine
    await engine.stop()
    async with database.session() as session:
        proof = await verify(session)
    assert proof.differences == []
