"""kill -9 of who posts a file, and of who delivers to webhooks: what was done and not noted is known as done.

A file is posted once, each row of it. A message is delivered again as the same one, and no later one before it.
"""

import asyncio
import random
import signal
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from tests.patience import STILL, while_it_moves
from tests.workers.desk import AT, HEAD, TILLS, Desk, table
from tests.workers.hooks import Partner, delivering, happen, hook, partner, statuses, until_sent
from tests.workers.support import Process, Start, all_jobs, mark_handed_out
from workers import courier
from workers.feeds import cutting


async def dies(what: str, database_url: str, noted: int, *jobs: object) -> None:
    """See a process die of kill -9 after it noted so much."""
    command = [sys.executable, "-m", "tests.workers.dying", what, database_url, str(noted), *map(str, jobs)]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(*command, cwd=root, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(STILL):
        _, said = await process.communicate()
    assert process.returncode == -signal.SIGKILL, said.decode()


async def cut(desk: Desk, rows: int) -> None:
    """A file of so many purchases by a hundred members, in its parts."""
    await desk.declare(TILLS)
    bought = [(str(n), str(900 + n % 100), "10.00", AT) for n in range(rows)]
    (desk.folder / "a.csv").write_text(table(HEAD, *bought))
    (desk.folder / "a.csv.done").touch()
    await desk.start("feeds", "feed_look", "feed_file")


async def posted_once(desk: Desk, rows: int) -> None:
    """The run has all rows of the file as its own, each booked by one operation."""
    assert await desk.runs() == [("a.csv", "DONE", rows, rows, 0, 0)]
    lines = await desk.rows("SELECT line FROM accrual_posting JOIN operation ON id = operation_id ORDER BY 1")
    assert [line for (line,) in lines] == list(range(2, rows + 2))
    assert await desk.rows("SELECT count(*) FROM operation") == [(rows,)]
    assert await desk.rows("SELECT sum(granted) FROM lot") == [(10 * rows,)]


async def test_r27_a_worker_killed_in_a_file_before_it_notes_what_it_posted(
    runtime: Runtime, database: Database, database_url: str, tmp_path: Path
) -> None:
    desk = Desk(runtime, database, tmp_path)
    await cut(desk, 10)
    (job,) = await mark_handed_out(database)
    await dies("part", database_url, 1, job)
    assert await desk.rows("SELECT line, posted, done FROM accrual_part") == [(6, 4, False)]
    assert await desk.rows("SELECT count(*) FROM operation") >= [(8,)]
    await desk.drain()
    await posted_once(desk, 10)


async def test_i4_a_courier_killed_before_it_notes_what_was_taken(
    runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "POLL", 0.05)
    await happen(runtime)
    async with partner() as grocers:
        webhook, ann = await hook(runtime, grocers.url), new_id()
        await happen(runtime, ann, ann, ann)
        await dies("courier", database_url, 1)
        assert await statuses(runtime, webhook) == {"DELIVERED": 1, "PENDING": 2}
        async with delivering(runtime):
            await until_sent(runtime, webhook, DELIVERED=3)
    assert grocers.ids[1] == grocers.ids[2], "the second was taken and not noted: it came again, as the same message"
    assert len(grocers.ids) == 4
    assert len(set(grocers.ids)) == 3


class Running:
    """Processes of one role, each started again when it has died."""

    def __init__(self, start: Start, role: str) -> None:
        self._start, self._role = start, role
        self.processes: list[Process] = []

    async def keep(self, count: int) -> None:
        """See that there are so many."""
        self.processes = [process for process in self.processes if process.returncode is None]
        missing = count - len(self.processes)
        self.processes += await asyncio.gather(*(self._start(self._role) for _ in range(missing)))

    async def kill(self, dice: random.Random) -> None:
        """kill -9 one of them."""
        victim = dice.choice(self.processes)
        victim.kill()
        await victim.wait()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.usefixtures("broker")
async def test_r27_workers_killed_in_a_file_however_often(
    runtime: Runtime, database: Database, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Three of them share a file of 24 parts; one dies whenever a number of rows, drawn by lot, is posted."""
    monkeypatch.setattr(cutting, "PART_BYTES", 40_000)
    rows, dice = 30_000, random.Random(seed)
    desk = Desk(runtime, database, tmp_path)
    await cut(desk, rows)
    assert len(await all_jobs(database)) > 20
    workers, relays = Running(start, "files"), Running(start, "relay")
    await asyncio.gather(workers.keep(3), relays.keep(1))
    moments = sorted(dice.sample(range(rows), 8))
    so_far = -1
    async with while_it_moves() as moved:
        while await all_jobs(database):
            ((count,),) = await desk.rows("SELECT count(*) FROM operation")
            if count > so_far:
                so_far = count
                moved()
            if moments and moments[0] <= count:
                moments.pop(0)
                await workers.kill(dice)
                await workers.keep(3)
            await asyncio.sleep(0.01)
    assert not moments
    await posted_once(desk, rows)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.usefixtures("broker")
async def test_i4_couriers_killed_however_often(runtime: Runtime, start: Start, seed: int) -> None:
    """Two of them; one is killed while a message, drawn by lot, is with its partner and not yet answered."""
    count, dice = 1000, random.Random(seed)
    await happen(runtime)
    members = [new_id() for _ in range(20)]
    couriers = Running(start, "courier")
    async with partner() as grocers, partner() as others:
        hooks = [await hook(runtime, one.url) for one in (grocers, others)]
        await happen(runtime, *dice.choices(members, k=count))
        moments = set(dice.sample(range(2 * count), 10))

        def told() -> int:
            return len(grocers.messages) + len(others.messages)

        async def answers(_: dict[str, Any]) -> web.Response:
            if told() in moments:
                moments.discard(told())
                await couriers.kill(dice)
            return web.Response(status=204)

        grocers.answers = others.answers = answers
        so_far = -1
        async with while_it_moves() as moved:
            while not all([await statuses(runtime, one) == {"DELIVERED": count} for one in hooks]):
                await couriers.keep(2)
                if told() > so_far:
                    so_far = told()
                    moved()
                await asyncio.sleep(0.05)
    assert not moments
    for one in (grocers, others):
        in_order(one, count)


def in_order(partner: Partner, count: int) -> None:
    """All of it came, and of no member anything earlier after something later."""
    sequences: defaultdict[str, list[str]] = defaultdict(list)
    for _, body in partner.messages:
        message = orjson.loads(body)
        sequences[message["subject"]].append(message["sequence"])
    assert all(of_one == sorted(of_one) for of_one in sequences.values())
    assert len({one for of_one in sequences.values() for one in of_one}) == count
