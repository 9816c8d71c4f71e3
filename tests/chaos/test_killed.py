"""kill -9 of anything at any moment under load: what is asked again ends in the books of a house left in peace."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from alliance.intake.commands import Sender, take
from alliance.proofs import bundle
from alliance.runtime import Runtime
from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from resolvers import ids
from server.settings import Settings
from tests.chaos.feeding import client_that_dies, feed, purchases, with_returns
from tests.chaos.house import CLIENT, OPERATOR, House
from tests.chaos.shopping import DOCUMENTS, Call, Shopper, calls_of
from tests.keys import KEYS_SET, hashed
from tests.patience import STILL, while_it_moves
from tests.schema.support import client_of

SHOPPERS = 5
VICTIMS = ["api", "postgres", "worker", "scheduler", "relay", "valkey-server", "backend", "messages"]

Telling = list[tuple[Any, ...]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in [name for name in os.environ if name.startswith("TESSERA_")]:
        monkeypatch.delenv(name)
    for name, value in KEYS_SET.items():
        monkeypatch.setenv(name, value)  # so that cards lie under the same hashes in all houses
    monkeypatch.setenv("TESSERA_JOB_REDELIVERY", "3")  # seconds after which what a dead worker had is done by another
    house = House(tmp_path / "home")
    yield house
    house.close()


class Load:
    """All that is asked of a house, by a seed."""

    def __init__(self, seed: int, steps: int, lines: int) -> None:
        self.seed, self.steps = seed, steps
        self.clock = datetime.now(UTC)
        self.feeds = {name: with_returns(purchases(name, lines)) for name in ("till", "dying")}
        self.jobs = purchases("job", lines // 2)
        self.answers = SHOPPERS * steps + 2 * lines
        """About how many answers there will be."""

    def shopper(self, number: int, call: Call) -> Coroutine[Any, Any, Telling]:
        """One shopper's life."""
        name = f"shopper{number}"
        return Shopper(name, call, random.Random(f"{self.seed} {name}")).shop(self.steps)

    async def one_by_one(self, runtime: Runtime) -> list[Telling]:
        """All of it in a quiet house."""
        client = client_of(runtime).signed_in(OPERATOR).at(self.clock)

        async def call(name: str, input: dict[str, Any]) -> dict[str, Any]:
            found: dict[str, Any] = (await client.run(DOCUMENTS[name], input=input))[name]
            return found

        told = [await self.shopper(number, call) for number in range(SHOPPERS)]
        await client.http.aclose()
        sender = Sender(CLIENT, CLIENT, b"secret", None, may_give=False, may_reverse=True)
        for lines in (*self.feeds.values(), self.jobs):
            for start in range(0, len(lines), 200):
                part = [json.dumps(line).encode() for line in lines[start : start + 200]]
                await take(runtime, sender, part, self.clock)
        return told

    async def at_once(self, house: House, answered: Callable[[], None], moved: Callable[[], None]) -> list[Telling]:
        """All of it together; it is told of each answer, and of what moved without one."""
        headers = {"Authorization": f"Bearer {house.token}", "Tessera-Clock": self.clock.isoformat()}
        async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as tasks:
            call = calls_of(session, house, answered)
            shoppers = [tasks.create_task(self.shopper(number, call)) for number in range(SHOPPERS)]
            tasks.create_task(feed(session, house, self.feeds["till"], self.clock, answered))
            tasks.create_task(self._dying(session, house, answered))
            tasks.create_task(self._jobs(house, moved))
        return [shopper.result() for shopper in shoppers]

    async def _dying(self, session: aiohttp.ClientSession, house: House, answered: Callable[[], None]) -> None:
        await asyncio.to_thread(client_that_dies, house, self.feeds["dying"], self.clock)
        await feed(session, house, self.feeds["dying"], self.clock, answered)

    async def _jobs(self, house: House, moved: Callable[[], None]) -> None:
        """A part comes as jobs, added again where nobody knows whether they were; until all are done."""
        sender = {"client": str(CLIENT), "subject": str(CLIENT), "merchant": None}
        jobs = [NewJob("accrue", sender | {"lines": [line]}) for line in self.jobs]
        done = text("SELECT count(*) FROM idempotency_key WHERE key LIKE 'job-%'")
        database = Database(house.database_url)
        added, before = False, 0
        while before < len(jobs):
            try:
                async with database.transaction() as session:
                    if not added:
                        await add_jobs(session, jobs)
                added = True
                async with database.session() as session:
                    if (now := await session.scalar(done) or 0) > before:
                        before = now
                        moved()
            except Exception:
                pass  # the database was killed
            await asyncio.sleep(0.2)
        await database.close()


async def kill_by(house: House, load: Load, victims: list[str], progress: Callable[[], int]) -> None:
    """Kill one after the other, each when so many answers were given."""
    dice = random.Random(load.seed)
    for victim, moment in zip(victims, sorted(dice.random() * 0.9 for _ in victims), strict=True):
        while progress() < moment * load.answers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.to_thread(house.kill, victim)


async def is_back(database: Database) -> None:
    """Wait until a database that may just have been killed takes calls again."""
    async with asyncio.timeout(STILL):
        while True:
            try:
                async with database.session() as session:
                    await session.execute(text("SELECT"))
                return
            except (OSError, SQLAlchemyError):
                await asyncio.sleep(0.1)


async def books(database: Database) -> list[list[tuple[Any, ...]]]:
    """All that the load comes to, without what is different each time: ids and times."""
    card = "(SELECT holder_id, value FROM member_identifier WHERE type = 'CARD') AS card"
    questions = (
        f"SELECT value, currency, posted, held, debt FROM {card} JOIN account USING (holder_id) ORDER BY 1, 2",
        f"""SELECT value, currency, granted, remaining, held, depth FROM {card} JOIN lot USING (holder_id)
            ORDER BY 1, 2, 3, 4, 5, 6""",
        f"SELECT value, order_ref, kind FROM {card} JOIN operation USING (holder_id) ORDER BY 1, 2, 3",
        f"""SELECT value, currency, points, status, captured FROM {card} JOIN hold USING (holder_id)
            ORDER BY 1, 2, 3, 4, 5""",
        """SELECT debtor.code, creditor.code, kind, count(*), sum(points), sum(amount)
           FROM obligation JOIN merchant AS debtor ON debtor.id = debtor_id
           LEFT JOIN merchant AS creditor ON creditor.id = creditor_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        "SELECT key, points, outcome -> 'refusal' ->> 'code' FROM idempotency_key ORDER BY 1",
        "SELECT count(*) FROM membership",
        """SELECT name, currency, posted, granted, remaining, depth FROM pool_name JOIN account USING (holder_id)
           JOIN lot USING (holder_id, currency) ORDER BY 1, 2, 3, 4, 5, 6""",
        f"""SELECT name, value FROM pool_spend JOIN pool_name USING (holder_id)
            JOIN {card} ON card.holder_id = member_id ORDER BY 1, 2""",
    )
    async with database.session() as session:
        return [[tuple(row) for row in await session.execute(text(question))] for question in questions]


async def proved(house: House, database: Database) -> None:
    """`tessera verify` finds nothing, the log has every operation, and proves some to whoever has our key."""
    count = text(
        "SELECT (SELECT count(*) FROM operation), (SELECT size FROM log_checkpoint ORDER BY size DESC LIMIT 1)"
    )
    async with while_it_moves() as moved, database.reader() as session:
        before = None
        while True:
            operations, sealed = (await session.execute(count)).one()
            if operations == sealed:
                break
            if sealed != before:
                before = sealed
                moved()
            await asyncio.sleep(0.1)
        some = (await session.execute(text("SELECT holder_id, id FROM operation ORDER BY id DESC LIMIT 5"))).all()
    command = [sys.executable, "-m", "server.cli", "verify", "--json", "--home", str(house.home)]
    verified = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout
    key = Settings(home=house.home).log_keys()[0].public
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {house.token}"}) as session:
        for holder_id, id_ in some:
            query = "query ($id: ID!) { operation(id: $id) { proof { bundle } } }"
            sent = {"query": query, "variables": {"id": ids.encode("Operation", holder_id, id_)}}
            async with session.post(f"{house.url}/graphql", json=sent) as response:
                found = await response.json(content_type=None)
            bundle.check(orjson.dumps(found["data"]["operation"]["proof"]["bundle"]), [key])


async def a_round(runtime: Runtime, house: House, load: Load, victims: list[str]) -> None:
    """The same load in two houses, one of which is disturbed."""
    expected = await load.one_by_one(runtime)
    count = 0

    async with while_it_moves() as moved, asyncio.TaskGroup() as tasks:

        def answered() -> None:
            nonlocal count
            count += 1
            moved()

        told = tasks.create_task(load.at_once(house, answered, moved))
        tasks.create_task(kill_by(house, load, victims, lambda: count))
    assert told.result() == expected
    database = Database(house.database_url)
    try:
        await is_back(database)
        assert await books(database) == await books(runtime.database)
        await proved(house, database)
    finally:
        await database.close()


async def test_r27_whoever_is_killed_what_is_asked_again_ends_in_the_same_books(runtime: Runtime, house: House) -> None:
    await a_round(runtime, house, Load(seed=1, steps=40, lines=600), ["api", "backend", "worker", "postgres"])


@pytest.mark.long
async def test_r26_a_repair_that_is_killed_is_booked_wholly_or_not_at_all(house: House) -> None:
    """The holder is stopped from the first try until one has come to its end; nothing is booked twice."""
    signed_in = {"Authorization": f"Bearer {house.token}"}
    async with while_it_moves() as moved, aiohttp.ClientSession(headers=signed_in) as session:
        await Shopper("shopper", calls_of(session, house, moved), random.Random(1)).shop(0)
    database = Database(house.database_url)
    card = f"(SELECT holder_id FROM member_identifier WHERE value = '{hashed('CARD', 'shopper-0')}')"
    counted = "SELECT count(*) FROM operation WHERE kind = 'REPAIR'"
    repair = [sys.executable, "-m", "server.cli", "repair", "--json", "--home", str(house.home)]
    try:
        await is_back(database)
        async with database.transaction() as tampering:
            await tampering.execute(text(f"UPDATE entry SET amount = 250 WHERE holder_id = {card} AND amount = 200"))
            holder = str(await tampering.scalar(text(f"SELECT holder_id FROM {card} AS card")))
        first = await asyncio.create_subprocess_exec(*repair, holder, stdout=asyncio.subprocess.PIPE)
        stopped = text("SELECT count(*) FROM holder_stop")
        async with asyncio.timeout(STILL), database.reader() as reader:
            while not await reader.scalar(stopped):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        first.kill()
        await first.wait()
        async with database.session() as look:
            booked, still = (await look.execute(text(f"SELECT ({counted}), bool_or(stopped) FROM account"))).one()
        assert (booked, still) in [(0, True), (1, False)]
        for victim, so_far in (("backend", booked), ("postgres", 1)):
            await asyncio.to_thread(house.kill, victim)
            await is_back(database)
            again = await asyncio.to_thread(subprocess.run, [*repair, holder], capture_output=True)
            assert again.returncode == 0, again.stderr
            assert len(json.loads(again.stdout)["booked"]) == 1 - so_far
        async with database.session() as look:
            question = f"SELECT ({counted}), bool_or(stopped), sum(posted) FROM account WHERE holder_id = '{holder}'"
            assert tuple((await look.execute(text(question))).one()) == (1, False, 200)
        await proved(house, database)
    finally:
        await database.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
async def test_r27_however_often_and_whenever(runtime: Runtime, house: House, seed: int) -> None:
    victims = random.Random(seed).choices(VICTIMS, k=15)
    await a_round(runtime, house, Load(seed=seed, steps=250, lines=4000), victims)
