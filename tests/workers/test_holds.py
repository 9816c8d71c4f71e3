"""Holds past their time: their points come back by themselves, in ranges, once, and before the night's expiry."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from domain.events.model import HeldJob
from domain.ledger.engine import PostingEngine
from domain.ledger.model import Hold
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.verify import verify
from tests.ledger_support import earn, hold, members
from tests.workers.support import all_jobs
from workers.actors import expiry, holds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(seconds=900)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    """An engine that takes every holder for an active member."""
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()
    async with database.session() as session:
        assert (await verify(session)).differences == []


@pytest.fixture
async def holders(engine: PostingEngine) -> list[UUID]:
    """Each holds 3 and 4 of 10 points for a quarter of an hour, and 2 for an hour."""
    ids = members(25)
    await engine.post_many([earn(id_, 10, expires_at=NOON + timedelta(minutes=30), as_of=NOON) for id_ in ids])
    for points, seconds in ((3, 900), (4, 900), (2, 3600)):
        await engine.post_many([hold(id_, points, seconds=seconds, as_of=NOON) for id_ in ids])
    return ids


async def held(database: Database, holders: list[UUID], as_of: datetime) -> list[tuple[int, int]]:
    """Available and held of each."""
    async with database.session() as session:
        found = await wallets(session, [WalletKey(id_, "GRO", as_of) for id_ in holders])
    return [(figures.available, figures.held) for (figures,) in found.values()]


async def lapse(house: Runtime, database: Database, as_of: datetime) -> int:
    """What the scheduler starts, and the jobs that this adds; how many jobs."""
    async with database.transaction() as session:
        await holds.lapse(house, session, [HeldJob(new_id(), {"as_of": as_of.isoformat()}, 1)])
    jobs = await all_jobs(database)
    for job in jobs:
        async with database.transaction() as session:
            assert await holds.lapse_range(house, session, [HeldJob(job.id, job.args, 1)]) == {}
    return len(jobs)


async def test_r14_points_come_back_late_but_never_early(
    database: Database, house: Runtime, holders: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "HOLDERS_A_JOB", 10)
    monkeypatch.setattr(holds, "HOLDS_AT_ONCE", 7)
    assert await lapse(house, database, NOON + QUARTER - timedelta(microseconds=1)) == 0
    assert await held(database, holders, NOON + QUARTER) == [(1, 9)] * 25
    assert await lapse(house, database, NOON + QUARTER) == 3
    assert await held(database, holders, NOON + QUARTER) == [(8, 2)] * 25
    assert await lapse(house, database, NOON + QUARTER) == 3, "done again they find nothing to do"
    assert await held(database, holders, NOON + QUARTER) == [(8, 2)] * 25
    async with database.session() as session:
        statuses = (await session.scalars(select(Hold.status))).all()
    assert (statuses.count("LAPSED"), statuses.count("OPEN")) == (50, 25)


async def test_r07_a_night_lapses_holds_before_it_expires_their_lots(
    database: Database, house: Runtime, holders: list[UUID]
) -> None:
    night = NOON + timedelta(minutes=45)
    async with database.transaction() as session:
        await expiry.expire(house, session, [HeldJob(new_id(), {"as_of": night.isoformat()}, 1)])
    (job,) = await all_jobs(database)
    async with database.transaction() as session:
        assert await expiry.expire_range(house, session, [HeldJob(job.id, job.args, 1)]) == {}
    assert await held(database, holders, night) == [(0, 2)] * 25
    async with database.session() as session:
        assert set(await session.scalars(select(Hold.status))) == {"LAPSED", "OPEN"}
