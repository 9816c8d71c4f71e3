"""Relays and workers killed, and the broker wiped clean, at random under load: each job has its effect exactly once."""

import asyncio
import random
from collections import Counter

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text

from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from tests.patience import while_it_moves
from tests.workers.support import Process, Start, all_jobs, noted

PORTION = 20
"""Jobs that are added at once."""

SEED = 9
"""By which the broker is emptied, and a relay and a worker die."""


class Running:
    """The roles as processes, each started again when it is killed."""

    def __init__(self, start: Start, broker: RedisBroker) -> None:
        self._start = start
        self._broker = broker
        self._processes: list[tuple[str, Process]] = []

    async def begin(self, *roles: str) -> None:
        """Start one of each."""
        self._processes += zip(roles, await asyncio.gather(*map(self._start, roles)), strict=True)

    async def disturb(self, dice: random.Random) -> None:
        """kill -9 one and start another, or empty the broker."""
        victim = dice.randint(0, len(self._processes))
        if victim == len(self._processes):
            self._broker.client.flushdb()
            return
        role, process = self._processes.pop(victim)
        process.kill()
        await process.wait()
        await self.begin(role)


async def until_done(database: Database, jobs: int) -> None:
    """Wait until so many jobs had their effect."""
    so_far = 0
    async with while_it_moves() as moved, database.reader() as reader:
        while so_far < jobs:
            if (now := await reader.scalar(text("SELECT count(*) FROM event")) or 0) > so_far:
                so_far = now
                moved()
            await asyncio.sleep(0.05)


async def a_round(database: Database, running: Running, *, seed: int, jobs: int, deaths: int) -> None:
    """Jobs in portions, on either queue; a death each time that a part of them, drawn by lot, is done."""
    dice = random.Random(seed)
    moments = sorted(dice.randrange(jobs // PORTION) for _ in range(deaths))
    for portion in range(jobs // PORTION):
        async with database.transaction() as session:
            queue = dice.choice(["default", "bulk"])
            numbers = range(PORTION * portion, PORTION * (portion + 1))
            await add_jobs(session, [NewJob("note", {"n": n}, queue=queue) for n in numbers])
        for _ in range(moments.count(portion)):
            await until_done(database, dice.randint(0, PORTION * portion))
            await running.disturb(dice)
    await until_done(database, jobs)
    assert await noted(database) == Counter(range(jobs))
    assert await all_jobs(database) == []


async def test_r27_jobs_are_done_once_whoever_dies(database: Database, broker: RedisBroker, start: Start) -> None:
    running = Running(start, broker)
    await running.begin("notes-relay", "notes-relay", "notes")
    await a_round(database, running, seed=SEED, jobs=400, deaths=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
async def test_r27_jobs_are_done_once_however_often_and_whenever(
    database: Database, broker: RedisBroker, start: Start, seed: int
) -> None:
    running = Running(start, broker)
    await running.begin("notes-relay", "notes-relay", "notes", "notes")
    await a_round(database, running, seed=seed, jobs=3000, deaths=15)
