"""What the other processes of a race against a cap do: each has a runtime of its own, and all begin at once."""

import asyncio
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from alliance.clearing.holds import release_request
from alliance.exchange.commands import exchange_request
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.ledger.request import Posted
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.support import CLIENT, NOON, House, key
from tests.keys import KEYS

_barrier: threading.Barrier

Holder = tuple[uuid.UUID, uuid.UUID]
"""A member, and a quote of theirs."""


def enter(barrier: threading.Barrier) -> None:
    """Called once by each process: at this barrier they wait for each other."""
    global _barrier
    _barrier = barrier


def exchange(database_url: str, quotes: Sequence[Holder]) -> Counter[str]:
    """Use all these quotes at once; how often each was answered."""

    async def run(house: House) -> list[Posted]:
        async with house.runtime.database.session() as session:
            named = {"as_of": NOON, "client_id": CLIENT}
            requests = [
                await exchange_request(session, house.runtime, member_id=member, quote_id=quote, key=key(), **named)
                for member, quote in quotes
            ]
        _barrier.wait(60)
        return [house.runtime.engine.post(request) for request in requests]

    return _answers(database_url, run)


def reserve(database_url: str, members: Sequence[uuid.UUID], points: int) -> Counter[str]:
    """Ask for quotes that reserve, one for each member, all at once; how often each was answered."""

    async def run(house: House) -> list[Any]:
        _barrier.wait(60)
        return [house.quote(member, "FUE", "GRO", points_out=points, reserve=True) for member in members]

    return _answers(database_url, run)


def everything(database_url: str, quotes: Sequence[Holder], members: Sequence[uuid.UUID], number: int) -> Counter[str]:
    """Use quotes, earn, spend, hold and give back, all at once; one process closes and settles cycles meanwhile."""

    async def run(house: House) -> list[Posted]:
        async with house.runtime.database.session() as session:
            named = {"as_of": NOON, "client_id": CLIENT}
            requests = [
                await exchange_request(session, house.runtime, member_id=member, quote_id=quote, key=key(), **named)
                for member, quote in quotes
            ]
        _barrier.wait(60)
        calls = [house.runtime.engine.post(request) for request in requests]
        calls += [_back_and_forth(house, member) for member in members]
        if number == 0:
            calls.append(_settle(house))
        return calls

    return _answers(database_url, run)


async def _back_and_forth(house: House, member: uuid.UUID) -> Posted:
    earned = await house.earn(member, "fuel", 50)
    await house.earn(member, "grocer", 80)
    await house.spend(member, "fuel", 30)
    held, let_go = await hold(house, member, "fuel", 20), await hold(house, member, "fuel", 10)
    await capture(house, held, 15)
    await house.runtime.engine.post(release_request(hold=let_go, as_of=NOON, key=key(), client_id=CLIENT))
    return await house.reverse(member, earned)


async def _settle(house: House) -> Posted:
    for _ in range(3):
        await house.through(await house.close())
    return Posted(None, uuid.UUID(int=0), "SETTLED", 0, [])


def _answers(database_url: str, run: object) -> Counter[str]:
    async def work() -> Counter[str]:
        async with asyncio.timeout(120), Runtime.open(database_url, keys=KEYS, pool_size=4) as runtime:
            calls = await run(House(runtime))  # type: ignore[operator]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
                raise answer
        return Counter(
            answer.code if isinstance(answer, Refusal) else getattr(answer, "kind", "QUOTE") for answer in answers
        )

    return asyncio.run(work())
