"""The sealer as a process keeps it: within a second, one at a time, on after an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from alliance.proofs.commands import SEALER_LOCK
from alliance.proofs.notes import PrivateKey
from domain.database import Database
from domain.ledger.engine import PostingEngine
from tests.ledger_support import earn, members, rows
from workers import sealer
from workers.sealer import keep_sealing

KEYS = [PrivateKey.new("log.test")]


@asynccontextmanager
async def sealing(database: Database, count: int = 1) -> AsyncIterator[None]:
    """So many sealers, for as long as the block lasts."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(keep_sealing(database, stop, KEYS)) for _ in range(count)]
    yield
    stop.set()
    await asyncio.gather(*tasks)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()


async def until_sealed(database: Database, count: int) -> None:
    """Wait until the newest checkpoint is of so many leaves."""
    async with asyncio.timeout(60):
        while not await rows(database, "SELECT FROM log_checkpoint WHERE size = $1", count):
            await sealer.pause(0.02, asyncio.Event())


async def test_what_is_posted_is_sealed_within_a_second(database: Database, engine: PostingEngine) -> None:
    """Each comes just after a look, and so waits as long as it can; the quickest tells, whatever else runs here."""
    async with sealing(database):
        for sealed in range(1, 6):
            await engine.post(earn(members(1)[0], 5))
            await until_sealed(database, sealed)
    [row] = await rows(
        database,
        """SELECT min(c.signed_at - o.booked_at) FROM operation o JOIN log_leaf l ON l.operation_id = o.id
           JOIN log_checkpoint c ON c.size = l.index + 1 WHERE l.index > 0""",
    )
    assert row[0].total_seconds() < 1


async def test_of_two_one_seals_and_the_other_takes_over(
    database: Database, engine: PostingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "TICK", 0.02)
    monkeypatch.setattr(sealer, "PAUSE", 0.02)
    async with sealing(database, 2):
        for sealed in (1, 2, 3):
            await engine.post(earn(members(1)[0], 5))
            await until_sealed(database, sealed)
            holders = await rows(
                database,
                """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND classid = $1::bigint AND objid = $2::bigint""",
                *SEALER_LOCK,
            )
            assert len(holders) == 1


async def test_a_damaged_log_is_left_as_it_is(
    database: Database, engine: PostingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "TICK", 0.02)
    told = asyncio.Event()
    monkeypatch.setattr(sealer.log, "error", lambda *_, **__: told.set())
    await engine.post_many([earn(member, 5) for member in members(2)])
    async with sealing(database):
        await until_sealed(database, 2)
        await rows(database, "DELETE FROM log_leaf WHERE index = 1")
        await asyncio.wait_for(told.wait(), 60)
    assert [row["index"] for row in await rows(database, "SELECT index FROM log_leaf")] == [0]
