"""kill -9 of processes that post through one capped merchant (A5, R27): asked again, the cap still holds.

What an exchange, a hold or a quote reserved is there wholly or not at all, and counted once.
"""

import asyncio
import multiprocessing
import random
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from alliance.clearing.holds import capture_request, hold_request, release_request
from alliance.exchange.commands import exchange_request, quote_request
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.errors import Refusal
from domain.ledger.model import Hold
from tests.alliance.exposure.support import cap, limits, stand
from tests.alliance.exposure.test_reserving import lapse_all
from tests.alliance.support import CLIENT, NOON, House, days, key
from tests.keys import KEYS

CAP = 20_000_000
_SPAWN = multiprocessing.get_context("spawn")
_DONE = text("SELECT count(*) FROM idempotency_key")


def shop(database_url: str, members: Sequence[uuid.UUID], rounds: int) -> None:
    """What each member asks for, one thing after the other, all members at once: under keys that never change."""

    async def run() -> None:
        async with Runtime.open(database_url, keys=KEYS, pool_size=4) as runtime:
            await asyncio.gather(*(_shop(House(runtime), member, rounds) for member in members))

    asyncio.run(run())


async def _shop(house: House, member: uuid.UUID, rounds: int) -> None:
    for number in range(rounds):
        for ask in (_exchange, _hold, _earn):
            try:
                await ask(house, member, f"{member}-{number}-{ask.__name__}", number)
            except Refusal as refusal:
                if refusal.code != "MERCHANT_AT_CAP":
                    raise


def _named(name: str) -> dict[str, Any]:
    return {"as_of": NOON, "client_id": CLIENT, "key": key(name)}


async def _exchange(house: House, member: uuid.UUID, name: str, number: int) -> None:
    """A dollar's worth of FUE, at a quote that reserves or not."""
    asked = {"member_id": member, "source": "FUE", "target": "GRO", "points_out": 100, "reserve": number % 2 == 0}
    offered = await house.runtime.engine.post(quote_request(house.runtime, **asked, **_named(f"{name}-quote")))
    if number % 4 == 2:
        return  # it expires
    named = {"member_id": member, "quote_id": uuid.UUID(offered.data["quote"])}
    async with house.runtime.database.session() as session:
        request = await exchange_request(session, house.runtime, **named, **_named(f"{name}-use"))
    await house.runtime.engine.post(request)


async def _hold(house: House, member: uuid.UUID, name: str, number: int) -> None:
    """Half a dollar's worth of FUE, for grocer: captured in part, released, or left to lapse."""
    merchant = house.runtime.catalogue.merchants["grocer"]
    asked = {"member_id": member, "merchant": merchant, "points": 50, "currency": "FUE"}
    posted = await house.runtime.engine.post(hold_request(house.runtime, **asked, **_named(f"{name}-hold")))
    async with house.runtime.database.session() as session:
        held = await session.get_one(Hold, (member, uuid.UUID(posted.data["hold"])))
    if number % 3 == 0:
        named = _named(f"{name}-capture")
        await house.runtime.engine.post(await capture_request(house.runtime, hold=held, points=20, **named))
    elif number % 3 == 1:
        await house.runtime.engine.post(release_request(hold=held, **_named(f"{name}-release")))


async def _earn(house: House, member: uuid.UUID, name: str, number: int) -> None:
    """GRO at fuel: pending where there is no room."""
    await house.earn(member, "fuel", 10, key=key(name))


async def killed(house: House, url: str, members: int, rounds: int, deaths: int, seed: int, both: bool) -> None:
    """One process or two ask for the same, again after each death; what came of it is proved."""
    await limits(house, fuel=cap("20.00"), grocer={})
    asking = [await house.member() for _ in range(members)]
    for member in asking:
        await house.earn(member, "fuel", 10_000, of="FUE")
    async with house.runtime.database.session() as session:
        before = await session.scalar(_DONE) or 0
    dice = random.Random(seed)
    for death in range(deaths + 1):
        last = death == deaths
        processes = [_SPAWN.Process(target=shop, args=(url, asking, rounds)) for _ in range(1 + both)]
        for process in processes:
            process.start()
        moment = before + (death + dice.random()) / (deaths + 1) * members * rounds * 3
        while not last and any(process.is_alive() for process in processes):
            async with house.runtime.database.session() as session:
                if (await session.scalar(_DONE) or 0) >= moment:
                    break
        for process in processes:
            if not last:
                process.kill()
            await asyncio.to_thread(process.join)
        assert not last or [process.exitcode for process in processes] == [0] * len(processes)
    await lapse_all(house, NOON + days(1))
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []
        query = "SELECT sum(amount) FROM obligation WHERE kind IN ('EXCHANGE', 'EARN')"
        assert (await session.scalar(text(query)) or 0) <= CAP
        twice = "SELECT count(*) FROM (SELECT FROM quote_use GROUP BY holder_id, quote_id HAVING count(*) > 1) AS q"
        assert await session.scalar(text(twice)) == 0
    assert (await stand(house, "fuel"))[1] == "0.000000"


async def test_a05_r27_killed_at_a_cap(runtime: Runtime, database_url: str) -> None:
    await killed(House(runtime), database_url, members=6, rounds=3, deaths=1, seed=1, both=False)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
async def test_a05_r27_killed_at_a_cap_however_often(runtime: Runtime, database_url: str, seed: int) -> None:
    await killed(House(runtime), database_url, members=12, rounds=12, deaths=8, seed=seed, both=True)
