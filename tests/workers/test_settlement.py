"""Settlement unattended, up to what is to be paid; and a death at every step of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from alliance.settlement import queries
from domain.database import Database
from tests.alliance.support import House
from workers.actors.settlement import advance

MONDAY = datetime(2017, 6, 5, 4, tzinfo=UTC)
STEPS = ["CLOSED", "STATED", "CONFIRMED", "NETTED", "SETTLING"]


class Died(Exception):
    """As if the process had been killed."""


@dataclass
class Dying:
    """A database whose user dies with the transaction of that number: before it commits, or right after."""

    database: Database
    fatal: int
    commits: bool
    begun: int = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """As the database's."""
        self.begun += 1
        dies = self.begun == self.fatal
        async with self.database.transaction() as session:
            yield session
            if dies and not self.commits:
                raise Died
        if dies:
            raise Died


async def week(runtime: Runtime, end: datetime) -> list[str]:
    """What the scheduler has done at the end of a week, and after the days to object."""
    return [moved.status for at in (end, end + timedelta(days=5)) async for moved in advance(runtime, at)]


async def in_full(house: House, number: int) -> dict[str, Any]:
    """What is kept of a cycle, but for who, when and ids."""
    async with house.runtime.database.session() as session:
        cycle = (await queries.by_numbers(session, [number]))[number]
        return {
            "steps": [step.status for step in (await queries.transitions(session, [cycle.id]))[cycle.id]],
            "dates": (cycle.objections_until, cycle.payments_due),
            "nets": [
                (net.lines, net.net, net.carried)
                for net in (await queries.pair_nets(session, [cycle], "USD"))[cycle.id]
            ],
            "positions": [p.amount for p in (await queries.net_positions(session, [cycle], "USD"))[cycle.id]],
            "payments": [(p.amount, p.status) for p in (await queries.payments(session, [cycle.id]))[cycle.id]],
        }


@pytest.mark.parametrize("commits", [False, True], ids=["before", "after"])
async def test_a07_settlement_goes_on_after_a_death_at_any_step(runtime: Runtime, commits: bool) -> None:
    """A week a death, in each of the transactions in turn: in the end all weeks are as one in which nobody died."""
    house = House(runtime)
    member = await house.member()
    fatal, died, kept = 0, True, []
    while died:
        end = MONDAY + timedelta(weeks=fatal)
        await house.earn(member, "fuel", 10_000, as_of=end - timedelta(days=1))
        dying = Dying(runtime.database, fatal, commits)
        died = fatal == 0
        try:
            assert await week(replace(runtime, database=dying), end) == STEPS  # type: ignore[arg-type]
        except Died:
            died = True
            await week(runtime, end)
        fatal += 1
        kept.append(await in_full(house, fatal))
        kept[-1].pop("dates")
    assert fatal - 2 == 9, "six transactions for five steps, and three looks at what is due that find nothing"
    assert kept[0]["steps"] == STEPS
    assert kept[0]["payments"] == [(9_000, "PLANNED")]
    assert all(one == kept[0] for one in kept)
