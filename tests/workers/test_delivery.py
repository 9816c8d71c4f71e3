"""From job to effect exactly once, whatever is lost on the way."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from domain.errors import NotAllowed
from domain.events.commands import add_jobs, retry_job
from domain.events.model import HeldJob, NewJob, RetryPolicy
from tests.workers.support import (
    NOTE,
    Processes,
    Until,
    add,
    all_done,
    all_jobs,
    has_noted,
    mark_handed_out,
    note,
    noted,
)
from workers import broker as brokers
from workers.actor import Actor, work_off
from workers.relay import relay_once

SOON = timedelta(seconds=30)
HASTY = RetryPolicy(max_attempts=3, first_delay=0.05, max_delay=0.1)


async def test_every_job_has_its_effect_once(database: Database, processes: Processes, until: Until) -> None:
    async with processes(NOTE):
        await add(database, 100)
        await until(all_done(database))
    assert await noted(database) == Counter(range(100))


async def test_a_message_delivered_again_has_no_effect(database: Database, house: Runtime) -> None:
    await add(database, 3)
    ids = await mark_handed_out(database)
    await asyncio.gather(*(work_off(house, NOTE["note"], ids) for _ in range(5)))
    await work_off(house, NOTE["note"], ids)
    assert await noted(database) == Counter(range(3))


async def test_two_relays_send_each_job_once(database: Database, broker: RedisBroker) -> None:
    await add(database, 200)
    counts = await asyncio.gather(*(relay_once(database, broker, NOTE, SOON) for _ in range(2)))
    assert sum(counts) == 200
    messages = broker.client.hvals("tessera:default.msgs")
    assert len(messages) in (29, 30)  # 200 by 7, shared by two


async def test_what_the_broker_lost_is_handed_out_again(
    database: Database, broker: RedisBroker, processes: Processes, until: Until
) -> None:
    await add(database, 50)
    assert await relay_once(database, broker, NOTE, timedelta(0)) == 50
    broker.client.flushdb()
    async with processes(NOTE):
        await add(database, 50)
        broker.client.flushdb()
        await until(all_done(database))
    assert await noted(database) == Counter(dict.fromkeys(range(50), 2))


async def test_a_queue_without_workers_does_not_fill(
    database: Database, broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "MOST_WAITING", 5)
    await add(database, 20)
    again_at_once = timedelta(0)
    assert [await relay_once(database, broker, NOTE, again_at_once) for _ in range(7)] == [5, 4, 3, 2, 1, 0, 0]


async def test_a_job_for_an_actor_nobody_knows_yet_waits(
    database: Database, processes: Processes, until: Until
) -> None:
    await add(database, 1, actor="tomorrow")
    async with processes(NOTE):
        await add(database, 1)
        await until(has_noted(database, 1))
    assert [(job.actor, job.attempts, job.dispatched_at) for job in await all_jobs(database)] == [("tomorrow", 0, None)]
    async with processes(NOTE | {"tomorrow": Actor("tomorrow", note)}):
        await until(has_noted(database, 2))


async def test_the_relay_goes_on_after_its_connection_is_lost(
    database: Database, processes: Processes, until: Until
) -> None:
    async with processes(NOTE):
        await add(database, 1)
        await until(all_done(database))
        async with database.session() as session:
            killed = await session.execute(
                text("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()""")
            )
            assert len(killed.all()) > 0
        await add(database, 1)
        await until(all_done(database))
    assert await noted(database) == Counter({0: 2})


async def test_an_attempt_that_fails_is_undone_and_tried_again(
    database: Database, processes: Processes, until: Until
) -> None:
    async def clumsy(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        await note(runtime, session, jobs)
        if jobs[0].attempt == 1:
            raise ValueError("dropped it\nDETAIL: what nobody should read")
        return {}

    async with processes({"note": Actor("note", clumsy, batch=7, policy=HASTY)}):
        await add(database, 10)
        await until(all_done(database))
    assert await noted(database) == Counter(range(10))


async def test_what_ran_out_of_attempts_is_a_row_to_retry(
    database: Database, processes: Processes, until: Until
) -> None:
    async def hopeless(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        await note(runtime, session, jobs)
        raise ValueError("dropped it\nDETAIL: what nobody should read")

    async def has_failed() -> bool:
        return all(job.failed_at for job in await all_jobs(database))

    await add(database, 1)
    async with processes({"note": Actor("note", hopeless, policy=HASTY)}):
        await until(has_failed)
    (job,) = await all_jobs(database)
    assert (job.attempts, job.last_error, len(job.history)) == (3, "ValueError: dropped it", 3)
    assert await noted(database) == Counter()
    async with database.transaction() as session:
        await retry_job(session, job.id)
    async with processes(NOTE):
        await until(all_done(database))
    assert await noted(database) == Counter([0])


async def test_one_refused_job_does_not_fail_the_others(database: Database, house: Runtime) -> None:
    async def picky(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        refused = {job.id: NotAllowed(reason="odd", path=("n",)) for job in jobs if job.args["n"] % 2}
        await note(runtime, session, [job for job in jobs if job.id not in refused])
        return refused

    await add(database, 4)
    await work_off(house, Actor("note", picky, batch=4), await mark_handed_out(database))
    assert await noted(database) == Counter([0, 2])
    assert [(job.attempts, job.last_error, job.failed_at is None) for job in await all_jobs(database)] == [
        (1, "NOT_ALLOWED at n", False)
    ] * 2


async def test_an_attempt_has_a_time_limit(database: Database, house: Runtime) -> None:
    async def endless(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        await note(runtime, session, jobs)
        await session.execute(text("SELECT pg_sleep(60)"))
        return {}

    await add(database, 1)
    await work_off(house, Actor("note", endless, time_limit=0.2), await mark_handed_out(database))
    (job,) = await all_jobs(database)
    assert (job.attempts, job.dispatched_at, job.last_error) == (1, None, "TimeoutError: ")
    assert await noted(database) == Counter()


async def test_messages_name_jobs_and_nothing_else(database: Database, broker: RedisBroker) -> None:
    secret = uuid.uuid4().hex
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("note", {"card": secret}), NewJob("note", {"holder": str(new_id())})])
    await relay_once(database, broker, NOTE, SOON)
    (message,) = broker.client.hvals("tessera:default.msgs")
    assert secret.encode() not in message
    assert all(str(job.id).encode() in message for job in await all_jobs(database))
