"""Stock and budget are accounts with a floor (principle 2): never overdrawn, whoever grants at the same time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Any

import pytest

from alliance.benefits.commands import grant_request, use_request
from alliance.file import apply, parse
from domain.benefits.errors import RightLimitExceeded, RightSoldOut
from domain.errors import Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted, Request
from tests.alliance.benefits.support import CODES, Rights
from tests.alliance.support import NOON, House

ENGINES = 4


@pytest.fixture
async def race(house: House) -> AsyncIterator[Callable[[list[Request]], Awaitable[list[Posted | str]]]]:
    """Post requests at the same time, by engines of their own: of a refusal its name."""
    engines = [PostingEngine(house.runtime.database) for _ in range(ENGINES)]
    for engine in engines:
        await engine.start()

    async def told(engine: PostingEngine, request: Request) -> Posted | str:
        try:
            return await engine.post(request)
        except Refusal as refusal:
            return type(refusal).__name__

    async def together(requests: list[Request]) -> list[Posted | str]:
        return await asyncio.gather(*(told(engines[n % ENGINES], one) for n, one in enumerate(requests)))

    yield together
    for engine in engines:
        await engine.stop()


async def test_r16_a15_of_twenty_uses_of_one_right_exactly_one_succeeds(
    house: House, rights: Rights, race: Any
) -> None:
    right = await rights.grant(await house.member())
    answers = await race([use_request(house.runtime, rights.call("fuel"), right) for _ in range(20)])
    assert answers.count("RightAlreadyUsed") == 19
    assert [line[4] for line in await house.owed()] == ["4.000000"]


async def with_benefits(house: House, *benefits: str) -> None:
    """Apply the sample with other benefits of the grocer's."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    before, _, after = sample.partition("    benefits:\n")
    _, _, after = after.partition("\n\n")
    listed = "".join(f"      - {benefit}\n" for benefit in benefits)
    async with house.runtime.database.transaction() as session:
        await apply(session, parse(f"{before}    benefits:\n{listed}\n{after}", "demo.yaml"), NOON)
    await house.runtime.refresh()


async def test_a15_of_twenty_grants_from_a_stock_of_five_five_succeed(house: House, rights: Rights, race: Any) -> None:
    await with_benefits(house, "{code: car_wash, name: Car wash, stock: 5}")
    people = [await house.member() for _ in range(20)]
    common: dict[str, Any] = {"kind": "car_wash", "codes": CODES}
    requests = [grant_request(house.runtime, rights.call("grocer"), member_id=one, **common) for one in people]
    answers = await race(requests)
    assert answers.count("RightSoldOut") == 15
    assert await rights.left("STOCK") == -5
    await with_benefits(house, "{code: car_wash, name: Car wash, stock: 6}")
    await rights.grant(people[0])
    with pytest.raises(RightSoldOut):
        await rights.grant(people[1])


async def test_a15_a_budget_sets_the_dearest_use_aside_and_gets_back_what_was_not_spent(
    house: House, rights: Rights
) -> None:
    """Of 9.00, a use is 4.00 at the filling station and 1.00 at the grocer's own: two at a time, and then more."""
    money = 'budget: {amount: "9.00", currency: USD}, cost: {amount: "1.00", currency: USD}'
    await with_benefits(house, f"{{code: car_wash, name: Car wash, {money}}}")
    member = await house.member()
    first, second = await rights.grant(member), await rights.grant(member)
    assert await rights.left("BUDGET") == -8_000_000
    with pytest.raises(RightSoldOut) as refused:
        await rights.grant(member)
    assert refused.value.data == {"left": 0, "requested": 1}
    used = await rights.use(first, at="grocer")
    assert await rights.left("BUDGET") == -5_000_000
    await rights.grant(member)
    await rights.use(second)
    assert await rights.left("BUDGET") == -9_000_000
    with pytest.raises(RightSoldOut):
        await rights.restore(first, used, at="grocer")
    assert [line[4] for line in await house.owed()] == ["4.000000"]


async def test_a15_a_member_has_no_more_than_their_share(house: House, rights: Rights) -> None:
    await with_benefits(house, "{code: car_wash, name: Car wash, perMember: 2}")
    member = await house.member()
    unused = await rights.grant(member)
    await rights.grant(member)
    with pytest.raises(RightLimitExceeded) as refused:
        await rights.grant(member)
    assert refused.value.data == {"cap": 2, "used": 2}
    await rights.cancel(unused)
    await rights.grant(member)


async def test_a15_r28_grants_of_one_batch_count_each_other(house: House, rights: Rights) -> None:
    await with_benefits(house, "{code: car_wash, name: Car wash, stock: 3, perMember: 2}")
    one, other = await house.member(), await house.member()
    common: dict[str, Any] = {"kind": "car_wash", "codes": CODES}
    wanted = [
        grant_request(house.runtime, rights.call("grocer"), member_id=member, **common)
        for member in (one, one, one, other, other)
    ]
    answers = await house.runtime.engine.post_many(wanted)
    refused = [type(answer).__name__ for answer in answers if isinstance(answer, Refusal)]
    assert refused == ["RightLimitExceeded", "RightSoldOut"]
