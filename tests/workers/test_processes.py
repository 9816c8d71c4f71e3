"""The roles as processes: killed, and told to stop."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import select

from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import Event, Job, NewJob
from tests.workers.support import NOTE, Process, Processes, Start, Until, add, all_done
from workers.relay import relay_once

PROMPTLY = 30
"""Seconds; 5 are meant, on a machine that does nothing else. What does not stop would never stop."""


async def say(process: Process, word: str) -> None:
    """Wait until the process says the word."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if word.encode() in line:
                return
    raise AssertionError(f"the process ended without saying {word}")


async def test_what_a_killed_worker_had_in_hand_is_done_once(
    database: Database, broker: RedisBroker, start: Start, processes: Processes, until: Until
) -> None:
    await add(database, 3)
    await relay_once(database, broker, NOTE, timedelta(seconds=1))
    worker = await start("stuck")
    await say(worker, "begun")
    worker.kill()
    await worker.wait()

    async with processes(NOTE):
        await until(all_done(database))
    async with database.session() as session:
        events = (await session.scalars(select(Event))).all()
    assert sorted((event.data["n"], event.data["attempt"]) for event in events) == [(0, 2), (1, 2), (2, 2)]


async def test_a_worker_told_to_stop_gives_its_jobs_back(database: Database, broker: RedisBroker, start: Start) -> None:
    await add(database, 3)
    await relay_once(database, broker, NOTE, timedelta(seconds=1))
    worker = await start("stuck")
    await say(worker, "begun")
    started = time.monotonic()
    worker.terminate()
    assert await worker.wait() == 0
    assert time.monotonic() - started < PROMPTLY
    async with database.transaction() as session:
        assert (await session.scalars(select(Event))).all() == []
        locked = await session.scalars(select(Job).with_for_update(nowait=True))
        assert [(job.failed_at, job.attempts) for job in locked] == [(None, 0)] * 3
    assert await relay_once(database, broker, NOTE, timedelta(seconds=30)) == 3, "they are due at once"


@pytest.mark.parametrize("role", ["relay", "worker", "scheduler"])
async def test_a_role_starts_and_stops(role: str, start: Start) -> None:
    process = await start(role)
    await say(process, f"{role} started")
    started = time.monotonic()
    process.terminate()
    await say(process, f"{role} stopped")
    assert await process.wait() == 0
    assert time.monotonic() - started < PROMPTLY


async def test_the_roles_together(database: Database, broker: RedisBroker, start: Start, until: Until) -> None:
    for role in ("relay", "worker"):
        await say(await start(role), f"{role} started")
    as_of = datetime(2026, 3, 1, tzinfo=UTC).isoformat()
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("expire", {"as_of": as_of}, queue="bulk")])

    await until(all_done(database))
