"""Who has their turn: what someone waits for before the night's work, neither for ever; and who does not know a job."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.database import Database
from domain.events.commands import add_job, add_jobs
from domain.events.model import HeldJob, NewJob
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
from workers import telemetry, worker
from workers.actor import Actor
from workers.broker import make_broker, most_in_hand, send
from workers.relay import relay_once
from workers.worker import work

THREADS = 4
"""Of the worker that `processes` runs."""


class Gate:
    """An actor that waits to be let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.opened = asyncio.Event()

    async def wait(self, runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        self.begun += 1
        await self.opened.wait()
        return await note(runtime, session, jobs)


async def test_what_someone_waits_for_does_not_wait_for_the_nights_work(
    database: Database, processes: Processes, until: Until
) -> None:
    gate = Gate()
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("long", {"n": n}, queue="bulk") for n in range(20)])
    async with processes(NOTE | {"long": Actor("long", gate.wait)}):

        async def is_full() -> bool:
            return gate.begun == most_in_hand("bulk", THREADS) == THREADS - 1

        await until(is_full)
        await add(database, 30)
        await until(has_noted(database, 30))
        assert gate.begun == THREADS - 1
        gate.opened.set()
        await until(all_done(database))


async def test_the_nights_work_has_its_turn_however_much_else_comes(
    database: Database, processes: Processes, until: Until
) -> None:
    """Each job adds two, for as long as the other queue's has not been done."""
    bulk_is_done = asyncio.Event()

    async def more(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        if not bulk_is_done.is_set():
            await add_jobs(session, [NewJob("more", {}) for _ in range(2)])
        return {}

    async def night(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        bulk_is_done.set()
        return {}

    async def has_come() -> bool:
        return bulk_is_done.is_set()

    await add(database, 100, actor="more")
    async with processes({"more": Actor("more", more), "night": Actor("night", night)}):
        async with database.transaction() as session:
            await add_job(session, "night", {}, queue="bulk")
        await until(has_come)
        await until(all_done(database))


async def test_what_is_in_hand_when_a_worker_is_told_to_stop_may_be_finished(
    database: Database, house: Runtime, broker: RedisBroker, own_redis_url: str, until: Until
) -> None:
    gate = Gate()
    await add(database, 1)
    await relay_once(database, broker, NOTE, timedelta(seconds=30))
    stop, consumer = asyncio.Event(), make_broker(own_redis_url)
    actors = {"note": Actor("note", gate.wait)}
    working = asyncio.create_task(work(house, consumer, stop, actors=actors, threads=2, grace=60))

    async def has_begun() -> bool:
        return gate.begun == 1

    await until(has_begun)
    stop.set()
    await asyncio.sleep(0)
    gate.opened.set()
    await working
    consumer.client.close()
    assert await noted(database) == Counter([0])
    assert await all_jobs(database) == []


async def test_a_worker_older_than_the_relay_loses_no_message(
    database: Database, broker: RedisBroker, processes: Processes, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "UNKNOWN_AGAIN", timedelta(0))
    await add(database, 2, actor="tomorrow")
    send(broker, "default", "tomorrow", await mark_handed_out(database))

    async def is_waiting() -> bool:
        return all(job.dispatched_at is None for job in await all_jobs(database))

    async with processes(NOTE):
        await until(is_waiting)
    assert [(job.attempts, job.failed_at, job.last_error) for job in await all_jobs(database)] == [(0, None, None)] * 2
    assert telemetry.REGISTRY.get_sample_value("tessera_jobs_unknown_total", {"actor": "tomorrow"}) == 2
    async with processes({"tomorrow": Actor("tomorrow", note)}):
        await until(has_noted(database, 2))
