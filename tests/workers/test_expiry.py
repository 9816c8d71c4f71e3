"""Nightly expiry: books what no wallet shows any more (R2, R3), in ranges, once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from alliance.clearing.commands import earn_request
from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from domain.events.model import HeldJob, Job
from domain.ledger.due import DueWallet, cut_due_holders, due_wallets
from domain.ledger.engine import PostingEngine
from domain.ledger.model import Entry, Lot
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.verify import verify
from domain.members.model import Member
from domain.programs.terms import ExpiryPolicy, PendingTerms
from tests.ledger_support import CLIENT, earn, key, members, redeem
from tests.workers.support import Processes, Until, all_done, all_jobs, merchant
from workers.actors import all_actors, expiry
from workers.scheduler import start_due

MIDNIGHT = datetime(2026, 3, 1, 5, tzinfo=UTC)  # in New York
TODAY = MIDNIGHT + timedelta(hours=7)
YESTERDAY = MIDNIGHT - timedelta(hours=7)
ACTORS = all_actors(b"secret")


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    """An engine that takes every holder for an active member."""
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
async def holders(database: Database, engine: PostingEngine) -> list[UUID]:
    """Each has 10 points that end with yesterday (4 of them spent), 5 that end today, 1 for ever; and 7 FUE."""
    ids = members(25)
    for expires_at, points in ((MIDNIGHT, 10), (MIDNIGHT + timedelta(days=1), 5), (None, 1)):
        await engine.post_many([earn(id_, points, expires_at=expires_at, as_of=YESTERDAY) for id_ in ids])
    await engine.post_many([earn(id_, 7, "FUE", expires_at=MIDNIGHT, as_of=YESTERDAY) for id_ in ids])
    await engine.post_many([redeem(id_, 4, as_of=YESTERDAY) for id_ in ids])
    async with database.transaction() as session:
        session.add(merchant("grocer", "America/New_York"))
    return ids


async def available(database: Database, holders: list[UUID], as_of: datetime) -> list[dict[str, int]]:
    async with database.session() as session:
        found = await wallets(session, [WalletKey(id_, "", as_of) for id_ in holders])
    return [{figures.currency: figures.available for figures in row} for row in found.values()]


async def breakage(database: Database) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    async with database.session() as session:
        for entry in await session.scalars(select(Entry).where(Entry.counter_account == "BREAKAGE")):
            found.setdefault(entry.currency, []).append(entry.amount)
    return found


async def test_r02_r03_nightly_expiry_books_what_wallets_no_longer_show(
    database: Database,
    holders: list[UUID],
    processes: Processes,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "HOLDERS_A_JOB", 10)
    monkeypatch.setattr(expiry, "WALLETS_AT_ONCE", 7)
    before = await available(database, holders, TODAY)
    assert before == [{"FUE": 0, "GRO": 6}] * 25
    assert await available(database, holders, MIDNIGHT - timedelta(microseconds=1)) == [{"FUE": 7, "GRO": 12}] * 25
    await start_due(database, TODAY)
    async with processes(ACTORS):
        await until(all_done(database))
    assert await breakage(database) == {"GRO": [-6] * 25, "FUE": [-7] * 25}
    assert await available(database, holders, TODAY) == before
    async with database.session() as session:
        assert (await verify(session)).differences == []
        lots = await session.scalars(select(Lot).where(Lot.expires_at == MIDNIGHT, ~Lot.spent))
        assert lots.all() == []


@pytest.mark.usefixtures("holders")
async def test_a_range_done_again_books_nothing_twice(database: Database, house: Runtime) -> None:
    async with database.session() as session:
        (first, second) = await cut_due_holders(session, MIDNIGHT, 15)
    args = {"as_of": MIDNIGHT.isoformat(), "first": str(first), "before": str(second)}
    for attempt in (1, 2):
        async with database.transaction() as session:
            assert await expiry.expire_range(house, session, [HeldJob(new_id(), args, attempt)]) == {}
        assert await breakage(database) == {"GRO": [-6] * 15, "FUE": [-7] * 15}


async def test_the_night_is_cut_into_ranges_that_miss_nobody(
    database: Database, house: Runtime, holders: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "HOLDERS_A_JOB", 10)
    async with database.transaction() as session:
        await expiry.expire(house, session, [HeldJob(new_id(), {"as_of": MIDNIGHT.isoformat()}, 1)])
    jobs = await all_jobs(database)
    found = [await _holders_of(database, job) for job in jobs]
    assert [len(ids) for ids in found] == [10, 10, 5]
    assert [id_ for ids in found for id_ in ids] == sorted(holders)


async def _holders_of(database: Database, job: Job) -> list[UUID]:
    before = job.args["before"] and UUID(job.args["before"])
    async with database.session() as session:
        found = await due_wallets(session, MIDNIGHT, UUID(job.args["first"]), before, None, 100)
    return sorted({wallet.holder_id for wallet in found})


async def test_nobody_with_points_due_is_no_job(database: Database, house: Runtime) -> None:
    async with database.transaction() as session:
        await expiry.expire(house, session, [HeldJob(new_id(), {"as_of": MIDNIGHT.isoformat()}, 1)])
    assert await all_jobs(database) == []


async def test_r07_pending_points_become_active_before_lots_expire(runtime: Runtime) -> None:
    currency = runtime.catalogue.currencies["GRO"]
    terms = {"pending": PendingTerms(1), "expiry": ExpiryPolicy("rolling", days=1)}
    changed = replace(currency, policies=(replace(currency.policies[0], **terms),))
    runtime.catalogue = replace(runtime.catalogue, currencies=runtime.catalogue.currencies | {"GRO": changed})
    people = members(5)
    async with runtime.database.transaction() as session:
        session.add_all(Member(id=id_, number=id_.hex, status="ACTIVE", joined_at=YESTERDAY) for id_ in people)
    grocer = runtime.catalogue.merchants["grocer"]
    calls = [
        earn_request(
            runtime,
            member_id=id_,
            merchant=grocer,
            points=10,
            occurred_at=YESTERDAY,
            as_of=YESTERDAY,
            key=key(),
            client_id=CLIENT,
        )
        for id_ in people
    ]
    await runtime.engine.post_many([*calls, *(replace(call, key=key()) for call in calls)])
    for as_of, figures in ((MIDNIGHT, (20, 0)), (MIDNIGHT + timedelta(days=2), (0, 0))):
        async with runtime.database.transaction() as session:
            assert await cut_due_holders(session, as_of, 2) == sorted(people)[::2]
            args = {"as_of": as_of.isoformat(), "first": str(UUID(int=0)), "before": None}
            job = HeldJob(new_id(), args, 1)
            assert await expiry.expire_range(runtime, session, [job]) == {}
        async with runtime.database.session() as session:
            found = await wallets(session, [WalletKey(id_, "GRO", as_of) for id_ in people])
        assert {(row.balance, row.pending) for rows in found.values() for row in rows} == {figures}
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


def test_a_posting_takes_no_more_lots_than_keep_holders_locked_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "LOTS_AT_ONCE", 10)
    wallets = [DueWallet(new_id(), "GRO", new_id(), lots) for lots in (4, 6, 1, 12, 3, 3)]
    assert [[wallet.lots for wallet in some] for some in expiry._portions(wallets)] == [[4, 6], [1], [12], [3, 3]]
