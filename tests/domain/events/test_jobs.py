"""The life of a job, and that events know the transaction that wrote them."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text, update

from domain.base import new_id
from domain.database import Database
from domain.errors import NotFound
from domain.events.commands import (
    add_event,
    add_job,
    add_jobs,
    begin,
    defer,
    discard_job,
    fail,
    finish,
    hand_back,
    hand_out,
    hold,
    retry_job,
    start_run,
)
from domain.events.errors import JobNotFailed
from domain.events.model import CHANNEL, Event, Failure, HeldJob, Job, NewJob, RetryPolicy
from domain.events.origin import Origin
from domain.events.queries import jobs_by_id, list_jobs

SOON = timedelta(seconds=30)
POLICY = RetryPolicy(max_attempts=3, first_delay=10, max_delay=1000)


async def jobs(database: Database, **filters: Any) -> Sequence[Job]:
    async with database.session() as session:
        return await list_jobs(session, **filters)


async def taken(database: Database, limit: int = 100, again_after: timedelta = SOON) -> list[uuid.UUID]:
    async with database.transaction() as session:
        return [job.id for job in await hand_out(session, ["count"], "default", limit, again_after)]


async def begun(database: Database, ids: list[uuid.UUID], policy: RetryPolicy = POLICY) -> dict[uuid.UUID, int]:
    async with database.transaction() as session:
        return await begin(session, ids, policy)


async def failed(database: Database, id_: uuid.UUID, attempt: int, *, final: bool = False) -> None:
    async with database.transaction() as session:
        await fail(session, [Failure(HeldJob(id_, {}, attempt), "no luck", final)], POLICY)


async def make_due(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(update(Job).values(available_at=func.now()))


@pytest.fixture
async def job_id(database: Database) -> uuid.UUID:
    """One job, waiting."""
    async with database.transaction() as session:
        await add_job(session, "count", {"n": 1})
    (job,) = await jobs(database)
    return job.id


async def test_a_job_is_there_if_its_transaction_commits(database: Database) -> None:
    async with database.transaction() as session:
        await add_job(session, "count", {"n": 1})
        await session.rollback()
    assert await jobs(database) == []


async def test_one_call_a_transaction_wakes_the_relay(database: Database) -> None:
    called: asyncio.Queue[str] = asyncio.Queue()
    listener: asyncpg.Connection = await database.connect()
    try:
        await listener.add_listener(CHANNEL, lambda *args: called.put_nowait(args[3]))
        async with database.transaction() as session:
            await add_jobs(session, [NewJob("count", {"n": n}) for n in range(5)])
            await add_job(session, "count", {"n": 5})
        await asyncio.wait_for(called.get(), 60)
        await listener.fetchval("SELECT 1")
        assert called.empty()
    finally:
        await listener.close()


async def test_only_one_job_at_a_time_has_a_dedupe_key(database: Database) -> None:
    for _ in range(2):
        async with database.transaction() as session:
            await add_jobs(session, [NewJob("count", {}, dedupe="same"), NewJob("count", {}, dedupe="same")])
    (job,) = await jobs(database)
    async with database.transaction() as session:
        await finish(session, [job.id])
        await add_job(session, "count", {}, dedupe="same")
    assert [again.id != job.id for again in await jobs(database)] == [True]


async def test_a_job_is_handed_out_when_it_is_due_and_to_whom_it_concerns(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with database.transaction() as session:
        await add_job(session, "count", {"n": 1})
        await add_job(session, "count", {"n": 2}, available_at=later)
        await add_job(session, "count", {"n": 3}, queue="bulk")
        await add_job(session, "unknown", {"n": 4})
    ids = await taken(database)
    async with database.session() as session:
        assert [job.args["n"] for job in (await jobs_by_id(session, ids)).values()] == [1]


async def test_two_relays_share_the_jobs(database: Database) -> None:
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("count", {"n": n}) for n in range(100)])
    async with database.transaction() as one, database.transaction() as other:
        first = await hand_out(one, ["count"], "default", 60, SOON)
        second = await hand_out(other, ["count"], "default", 60, SOON)
    assert (len(first), len(second)) == (60, 40)
    assert len({job.id for job in [*first, *second]}) == 100
    assert await taken(database) == []


async def test_a_job_that_nobody_did_is_handed_out_again(database: Database, job_id: uuid.UUID) -> None:
    assert await taken(database, again_after=timedelta(0)) == [job_id]
    assert await taken(database) == [job_id]
    assert await taken(database) == []


async def test_a_job_in_hand_is_nobody_elses(database: Database, job_id: uuid.UUID) -> None:
    await taken(database, again_after=timedelta(0))
    attempts = await begun(database, [job_id])
    async with database.transaction() as session:
        assert [job.id for job in await hold(session, attempts)] == [job_id]
        assert await taken(database) == []
        assert await begun(database, [job_id]) == {}
        await finish(session, [job_id])
    assert await begun(database, [job_id]) == {}
    assert await jobs(database) == []


async def test_an_attempt_that_was_overtaken_changes_nothing(database: Database, job_id: uuid.UUID) -> None:
    await taken(database)
    first = await begun(database, [job_id])
    second = await begun(database, [job_id])
    assert (first, second) == ({job_id: 1}, {job_id: 2})
    await failed(database, job_id, attempt=1, final=True)
    async with database.transaction() as session:
        assert await hold(session, first) == []
        assert await hold(session, second) == [HeldJob(job_id, {"n": 1}, 2, Origin(job_id.hex))]


async def test_an_attempt_that_is_handed_back_does_not_count(database: Database, job_id: uuid.UUID) -> None:
    await taken(database)
    first = await begun(database, [job_id])
    second = await begun(database, [job_id])
    async with database.transaction() as session:
        await hand_back(session, first)  # it was overtaken
    assert await taken(database) == []
    async with database.transaction() as session:
        await hand_back(session, second)
    assert await taken(database) == [job_id]
    assert await begun(database, [job_id]) == {job_id: 2}


async def test_a_job_that_is_put_off_waits_and_is_nobodys(database: Database, job_id: uuid.UUID) -> None:
    await taken(database)
    async with database.transaction() as session:
        await defer(session, [job_id], SOON)
    (job,) = await jobs(database)
    assert (job.attempts, job.dispatched_at, job.failed_at) == (0, None, None)
    assert await taken(database) == []
    assert await begun(database, [job_id]) == {}
    await make_due(database)
    assert await taken(database) == [job_id]


async def test_a_failed_attempt_waits_longer_each_time(database: Database, job_id: uuid.UUID) -> None:
    delays = []
    for attempt in (1, 2):
        await taken(database)
        await begun(database, [job_id])
        await failed(database, job_id, attempt)
        (job,) = await jobs(database, failed=False)
        assert (job.dispatched_at, job.last_error, len(job.history)) == (None, "no luck", attempt)
        delays.append((job.available_at - datetime.fromisoformat(job.history[-1]["at"])).total_seconds())
        assert await taken(database) == []
        await make_due(database)
    assert 7 < delays[0] < 13 < delays[1] < 27


async def test_exhausted_retries_are_a_row_that_can_be_retried(database: Database, job_id: uuid.UUID) -> None:
    for attempt in (1, 2, 3):
        await taken(database)
        await begun(database, [job_id])
        await failed(database, job_id, attempt)
        await make_due(database)
    (job,) = await jobs(database, failed=True)
    assert (job.id, job.attempts, job.last_error) == (job_id, 3, "no luck")
    assert [entry["attempt"] for entry in job.history] == [1, 2, 3]
    assert await taken(database) == []
    async with database.transaction() as session:
        await retry_job(session, job_id)
    assert await taken(database) == [job_id]
    assert await begun(database, [job_id]) == {job_id: 1}


async def test_attempts_that_end_their_worker_are_counted(database: Database, job_id: uuid.UUID) -> None:
    for attempt in (1, 2, 3):
        await taken(database)
        assert await begun(database, [job_id]) == {job_id: attempt}
        await make_due(database)
    await taken(database)
    assert await begun(database, [job_id]) == {}
    (job,) = await jobs(database, failed=True)
    assert job.last_error == "its worker ended during the last attempt"


async def test_a_refusal_is_final(database: Database, job_id: uuid.UUID) -> None:
    await taken(database)
    await begun(database, [job_id])
    await failed(database, job_id, 1, final=True)
    assert [job.id for job in await jobs(database, failed=True)] == [job_id]
    async with database.transaction() as session:
        await discard_job(session, job_id)
    assert await jobs(database) == []


async def test_only_failed_jobs_are_retried_or_discarded(database: Database, job_id: uuid.UUID) -> None:
    for command in (retry_job, discard_job):
        with pytest.raises(JobNotFailed):
            async with database.transaction() as session:
                await command(session, job_id)
        with pytest.raises(NotFound):
            async with database.transaction() as session:
                await command(session, new_id())


async def test_jobs_are_listed_page_by_page(database: Database) -> None:
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("count", {"n": n}) for n in range(5)])
        await add_job(session, "other", {})
    page = await jobs(database, actor="count", first=3)
    rest = await jobs(database, actor="count", first=3, after=page[-1].id)
    assert [job.args["n"] for job in [*page, *rest]] == [0, 1, 2, 3, 4]


async def test_a_scheduled_run_is_started_once(database: Database) -> None:
    due_at = datetime(2026, 3, 1, tzinfo=UTC)

    async def start() -> bool:
        async with database.transaction() as session:
            return await start_run(session, "night", due_at)

    assert sorted(await asyncio.gather(*(start() for _ in range(5)))) == [False] * 4 + [True]


async def test_an_event_knows_its_transaction(database: Database) -> None:
    """It is older than every running one once nothing is running that began before: compared here with what began
    after, as other tests have their own on this server."""
    holder_id = new_id()
    async with database.transaction() as session:
        mine = await session.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
        await add_event(session, holder_id, "seen", {"by": "test"})
    async with database.transaction() as session:
        (event,) = (await session.scalars(select(Event))).all()
        later = await session.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
    assert (event.holder_id, event.kind, event.data, event.xid) == (holder_id, "seen", {"by": "test"}, mine)
    assert later is not None
    assert event.xid < later
