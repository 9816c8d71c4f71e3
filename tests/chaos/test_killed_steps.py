"""kill -9 in the middle of a step of a cycle: nothing of it stays, and the step is taken again as if it were the first.

The command is killed where it waits for a table that this test keeps locked: so what it wrote before is written, and
not committed.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from alliance.verify import verify
from tests.alliance.exposure.support import cap, limits
from tests.alliance.support import House
from tests.keys import KEYS_SET
from tests.patience import STILL

STEPS = {
    "close": ("settlement_cycle", "cycle_transition"),
    "state": ("pair_net", "statement", "cycle_transition"),
    "confirm": ("statement", "cycle_transition"),
    "net": ("net_position", "payment", "cycle_transition"),
    "settle": ("cycle_transition",),
    "receive": ("payment", "net_position", "exposure", "cycle_transition"),
}
"""The steps of a cycle, and the tables at which each is killed, one after the other."""

ABORTING = ("net_position", "pair_net", "payment", "cycle_transition")

_WAITS = """SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND backend_type = 'client backend'"""


class Commands:
    """`tessera cycle` on the database of a test, each in a process of its own."""

    def __init__(self, house: House, url: str, home: Path) -> None:
        self.house = house
        named = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
        named["TESSERA_DATABASE_URL"] = make_url(url).render_as_string(hide_password=False)
        self.environment = named | KEYS_SET | {"TESSERA_HOME": str(home)}

    def begin(self, step: str) -> subprocess.Popen[bytes]:
        """Take a step with cycle 1."""
        command = [sys.executable, "-m", "server.cli", "cycle", step, "1"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    async def take(self, step: str) -> None:
        """Let it be taken."""
        process = self.begin(step)
        _, said = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, said.decode()

    async def die(self, step: str, table: str) -> None:
        """Kill it where it wants to write to a table; what it began is undone."""
        database = self.house.runtime.database
        before = await self.state()
        async with database.transaction() as keeping, database.reader() as looking:
            await keeping.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))
            with self.begin(step) as process:
                try:
                    waiting = await self._waiting(looking, process)
                finally:
                    process.kill()
        async with asyncio.timeout(STILL), database.reader() as looking:
            gone = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            while await looking.scalar(gone, {"pid": waiting}):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await self.state() == before
        async with database.session() as session:
            assert (await verify(session)).differences == []

    async def _waiting(self, looking: AsyncSession, process: subprocess.Popen[bytes]) -> int:
        """Who waits for a lock, as soon as somebody does."""
        async with asyncio.timeout(STILL):
            while (waiting := await looking.scalar(text(_WAITS))) is None:
                assert process.poll() is None, process.stderr and process.stderr.read()
                await asyncio.sleep(0.01)
        return int(waiting)

    async def state(self) -> list[object]:
        """Where the cycle stands, and its merchants."""
        questions = (
            "SELECT status FROM settlement_cycle WHERE number = 1",
            "SELECT status FROM cycle_transition ORDER BY seq",
            "SELECT merchant_id, owed, reserved, withheld FROM exposure ORDER BY 1",
            "SELECT amount, status FROM payment ORDER BY cycle_id, seq",
            "SELECT sum(amount), sum(settled), sum(carried) FROM net_position",
        )
        async with self.house.runtime.database.session() as session:
            return [(await session.execute(text(question))).all() for question in questions]


@pytest.fixture
async def commands(runtime: Runtime, database_url: str, tmp_path: Path) -> Commands:
    """A cycle in which fuel owes the grocer 90.00 and is owed 9.00, both with a cap."""
    house = House(runtime)
    await limits(house, grocer=cap("1000.00"), fuel=cap("1000.00"))
    member = await house.member()
    await house.earn(member, "fuel", 10_000)
    await house.spend(member, "fuel", 1_000)
    return Commands(house, database_url, tmp_path)


async def kill_and_take(commands: Commands, steps: dict[str, Sequence[str]]) -> None:
    """Kill each step wherever it can be, and then take it."""
    for step, tables in steps.items():
        for table in tables:
            await commands.die(step, table)
        await commands.take(step)


async def test_a_step_that_is_killed_is_taken_again(commands: Commands) -> None:
    await commands.house.through(await commands.house.close(), "confirm_statement")
    await kill_and_take(commands, {"net": ("payment",)})
    assert (await commands.state())[0] == [("NETTED",)]


@pytest.mark.long
async def test_each_step_is_killed_at_each_table_it_writes(commands: Commands) -> None:
    await kill_and_take(commands, dict(STEPS))
    assert (await commands.state())[0] == [("SETTLED",)]


@pytest.mark.long
@pytest.mark.parametrize("last", ["close", "state", "confirm", "net"])
async def test_giving_up_is_killed_from_any_state(commands: Commands, last: str) -> None:
    for step in STEPS:
        await commands.take(step)
        if step == last:
            break
    for table in ABORTING:
        written = {"net": ABORTING, "close": ("cycle_transition",)}.get(last, ("pair_net", "cycle_transition"))
        if table in written:
            await commands.die("abort", table)
    await commands.take("abort")
    assert (await commands.state())[0] == [("ABORTED",)]
