"""Several processes against one cap (A5): what may be refused never takes a merchant past it, whoever is first."""

import asyncio
import multiprocessing
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from alliance.exchange.model import Quote
from alliance.runtime import Runtime
from tests.alliance.exposure import process
from tests.alliance.exposure.support import cap, limits, stand, used
from tests.alliance.support import House

PROCESSES = 3


@pytest.fixture(scope="module")
def others() -> Iterator[ProcessPoolExecutor]:
    """The processes. Each takes one task, for a task waits until all are taken."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, context, process.enter, (barrier,)) as pool:
        yield pool


async def at_once(others: ProcessPoolExecutor, calls: list[Callable[[], Counter[str]]]) -> Counter[str]:
    """The answers of a call a process."""
    loop = asyncio.get_running_loop()
    answers = await asyncio.gather(*(loop.run_in_executor(others, call) for call in calls))
    return sum(answers, Counter())


async def quoted(house: House, points: int) -> process.Holder:
    """A member with so many FUE, and a quote for all of them."""
    member = await house.member()
    await house.earn(member, "fuel", points, of="FUE")
    return member, (await house.quote(member, "FUE", "GRO", points_out=points)).id


async def test_a05_of_three_80s_against_100_one_is_accepted(
    runtime: Runtime, others: ProcessPoolExecutor, database_url: str
) -> None:
    house = House(runtime)
    await limits(house, fuel=cap("100.00"))
    for turn in range(1, 4):
        quotes = [[await quoted(house, 8_000)] for _ in range(PROCESSES)]
        said = await at_once(others, [partial(process.exchange, database_url, own) for own in quotes])
        assert said == {"EXCHANGE": 1, "MERCHANT_AT_CAP": 2}
        assert await used(house, "fuel") == 80
        await house.through(await house.close())
        assert (turn, await used(house, "fuel")) == (turn, 0)


async def test_a04_a05_quotes_that_reserve_never_pass_the_cap_together(
    runtime: Runtime, others: ProcessPoolExecutor, database_url: str
) -> None:
    """Of 36 a dollar each against 25, 25 are offered; each of them is exchanged, and nothing else has room."""
    house = House(runtime)
    await limits(house, fuel=cap("25.00"))
    members = [[await house.member() for _ in range(12)] for _ in range(PROCESSES)]
    said = await at_once(others, [partial(process.reserve, database_url, own, 100) for own in members])
    assert said == {"QUOTE": 25, "MERCHANT_AT_CAP": 11}
    assert await stand(house, "fuel") == ("0.000000", "25.000000")
    async with runtime.database.session() as session:
        offered = (await session.scalars(select(Quote).where(Quote.reserves))).all()
    for one in offered:
        await house.earn(one.holder_id, "fuel", 100, of="FUE")
    quotes = [(one.holder_id, one.id) for one in offered]
    said = await at_once(others, [partial(process.exchange, database_url, quotes[n::PROCESSES]) for n in range(3)])
    assert said == {"EXCHANGE": 25}
    assert await stand(house, "fuel") == ("25.000000", "0.000000")


async def test_a05_under_load_with_cycles_that_close_and_settle(
    runtime: Runtime, others: ProcessPoolExecutor, database_url: str
) -> None:
    """The cap is reached and never passed by what can be refused; the books prove the position."""
    house = House(runtime)
    await limits(house, fuel=cap("25.00"), grocer=cap("5.00"))
    quotes = [[await quoted(house, 100) for _ in range(12)] for _ in range(PROCESSES)]
    further = [[await quoted(house, 100) for _ in range(8)] for _ in range(PROCESSES)]
    said = await at_once(others, [partial(process.exchange, database_url, own) for own in quotes])
    assert said == {"EXCHANGE": 25, "MERCHANT_AT_CAP": 11}
    assert await used(house, "fuel") == 25

    calls: list[Any] = []
    for number in range(PROCESSES):
        members: list[uuid.UUID] = [await house.member() for _ in range(8)]
        calls.append(partial(process.everything, database_url, further[number], members, number))
    said = await at_once(others, calls)
    assert said["SETTLED"] == 1
    assert said["REVERSAL"] == 8 * PROCESSES
    assert said["EXCHANGE"] + said["MERCHANT_AT_CAP"] == 8 * PROCESSES
