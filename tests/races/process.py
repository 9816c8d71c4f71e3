"""What the other processes of a race do: each has an engine of its own, and all begin at once."""

import asyncio
import threading
from collections.abc import Sequence
from uuid import UUID

from alliance.runtime import Runtime
from domain.database import Database
from domain.errors import Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted, Request
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, Enrolled
from tests.alliance.support import House
from tests.keys import KEYS

_barrier: threading.Barrier

Answer = Posted | str
"""What a process tells of an answer; of a refusal its name."""


def enter(barrier: threading.Barrier) -> None:
    """Called once by each process: at this barrier they wait for each other."""
    global _barrier
    _barrier = barrier


def post(database_url: str, calls: Sequence[Request]) -> list[Answer]:
    """Post all calls at once. Raises what is no refusal."""

    async def run() -> list[Answer]:
        database = Database(database_url, pool_size=2)
        engine = PostingEngine(database)
        await engine.start()
        _barrier.wait(60)
        answers = await asyncio.gather(*(_told(engine, call) for call in calls))
        await engine.stop()
        await database.close()
        return answers

    return asyncio.run(run())


async def _told(engine: PostingEngine, call: Request) -> Answer:
    try:
        return await engine.post(call)
    except Refusal as refusal:
        return type(refusal).__name__


def earn_until(database_url: str, members: Sequence[UUID], cycles: int) -> int:
    """Let members earn at the filling station until there are so many cycles; the points that were granted."""

    async def run() -> int:
        async with asyncio.timeout(120), Runtime.open(database_url, keys=KEYS) as runtime:
            house = House(runtime)
            _barrier.wait(60)
            earned = 0
            while await house.count("settlement_cycle") < cycles:
                earned += sum([one.points for one in await asyncio.gather(*(_earn(house, one) for one in members))])
            return earned

    return asyncio.run(run())


async def _earn(house: House, member: UUID) -> Posted:
    return await house.earn(member, "fuel", 3)


def enrol(database_url: str, asks: Sequence[EnrolAsk]) -> list[Enrolled | str]:
    """Enrol all at once, each as a call of its own. Raises what is no refusal."""

    async def run() -> list[Enrolled | str]:
        async with Runtime.open(database_url, keys=KEYS) as runtime:

            async def one(ask: EnrolAsk) -> Enrolled | str:
                async with runtime.database.transaction() as session:
                    [answer] = await enrol_many(session, runtime.catalogue, [ask])
                    return type(answer).__name__ if isinstance(answer, Refusal) else answer

            _barrier.wait(60)
            return list(await asyncio.gather(*map(one, asks)))

    return asyncio.run(run())
