"""The sequence of all that happened: no gap, nothing before what has a number, whoever commits late."""

import asyncio
import random
import uuid
from collections.abc import Sequence

import pytest

from alliance.feed import numbering, queries
from alliance.feed.model import Happened
from alliance.proofs.commands import SEALER, prepare, seal
from alliance.proofs.notes import PrivateKey
from alliance.verify import verify
from domain.base import new_id
from domain.database import Database
from domain.events.commands import add_event
from tests.alliance.gifts.test_cashing_out import give
from tests.alliance.support import House
from tests.ledger_support import rows
from tests.log_support import others_have_ended

KEYS = [PrivateKey.new("log.test")]


@pytest.fixture(autouse=True)
async def _nothing_has_happened(house: House) -> None:
    """But that the sample alliance was applied, which is no matter here."""
    await rows(house.runtime.database, "DELETE FROM event")


async def sealed(database: Database, limit: int = 1000) -> int:
    """Seal a block of what there is; how many operations are in the log."""
    connection = await database.connect(**SEALER)
    try:
        await prepare(connection, KEYS)
        await others_have_ended(connection)
        return (await seal(connection, KEYS, limit)).size
    finally:
        await connection.close()


async def happened(house: House, after: int = -1, count: int = 1000, **asked: object) -> Sequence[Happened]:
    """What an operator (or merchant_id) is told after a place."""
    named = {"merchant_id": None, **asked}
    async with house.runtime.database.reader() as session:
        return (await queries.after(session, house.runtime.catalogue, after, count, **named)).happened  # type: ignore[arg-type]


async def differences(database: Database) -> set[str]:
    """The checks that find something."""
    async with database.session() as session:
        return {difference.check for difference in (await verify(session)).differences}


async def noted(database: Database, holder_id: uuid.UUID, *seen_by: uuid.UUID) -> None:
    """An event of its own transaction."""
    async with database.transaction() as session:
        await add_event(session, holder_id, "MEMBER_LINKED", {"type": "CARD"}, *seen_by)


@pytest.mark.parametrize("block", [1, 2, 100])
async def test_operations_and_events_are_one_sequence_without_gaps(house: House, block: int) -> None:
    database = house.runtime.database
    ann = await house.member()
    await noted(database, ann)
    await house.earn(ann, "grocer", 500)
    await noted(database, ann)
    await noted(database, ann)
    await house.earn(ann, "grocer", 10)
    await house.spend(ann, "fuel", 100)
    await noted(database, ann)
    for _ in range(8):
        await sealed(database, block)
    told = await happened(house)
    assert [one.position for one in told] == list(range(7))
    short = {"POINTS_EARNED": "+", "POINTS_SPENT": "-", "MEMBER_LINKED": "e"}
    assert "".join(short[one.kind] for one in told) == "e+ee+-e"
    assert await differences(database) == set()
    async with database.reader() as session:
        mine = await queries.after_of(
            session, house.runtime.catalogue, 1, 3, member_id=ann, merchant_id=None, kinds=("POINTS_EARNED",)
        )
        assert [one.position for one in mine.happened] == [4]
        page = await queries.after(session, house.runtime.catalogue, 1, 3, merchant_id=None)
    assert ([one.position for one in page.happened], page.upto, page.more) == ([2, 3, 4], 4, True)


async def test_what_a_member_is_given_is_among_their_events(house: House) -> None:
    database, catalogue = house.runtime.database, house.runtime.catalogue
    ann, bob, carl = [await house.member() for _ in range(3)]
    await house.earn(ann, "grocer", 500)
    for receiver in (carl, bob):
        assert (await give(house, ann, receiver, 100)).points == 100
    await house.earn(bob, "grocer", 10)
    await sealed(database, 100)
    async with database.reader() as session:
        found = {
            name: await queries.after_of(session, catalogue, -1, 9, member_id=member, merchant_id=house.id("grocer"))
            for name, member in (("ann", ann), ("bob", bob))
        }
    assert [one.kind for one in found["ann"].happened] == ["POINTS_EARNED", "POINTS_GIVEN", "POINTS_GIVEN"]
    assert [one.kind for one in found["bob"].happened] == ["POINTS_GIVEN", "POINTS_EARNED"]
    assert found["bob"].happened[0].data["to"] == str(bob)


async def test_what_commits_late_comes_late_and_is_not_skipped(house: House) -> None:
    """The cursor of an id, or of a time, would have passed it."""
    database = house.runtime.database
    ann, bob = await house.member(), await house.member()
    async with database.session() as late:
        await add_event(late, ann, "MEMBER_LINKED", {"type": "CARD"})
        await late.flush()
        await noted(database, bob)
        connection = await database.connect(**SEALER)
        await prepare(connection, KEYS)
        await seal(connection, KEYS)
        assert await happened(house) == [], "bob's is there, but ann's may yet come before it"
        await late.commit()
    await others_have_ended(connection)
    await seal(connection, KEYS)
    await connection.close()
    assert [one.about[0] for one in await happened(house)] == [ann, bob]


async def test_whoever_follows_is_told_all_of_it_once_while_many_write(house: House) -> None:
    """Writers commit in any order, the sealer numbers meanwhile, and a follower goes on after its last place."""
    database, chance = house.runtime.database, random.Random(5)
    members = [await house.member() for _ in range(6)]
    wrote, seen, done = list[uuid.UUID](), list[Happened](), asyncio.Event()

    async def write(member: uuid.UUID) -> None:
        for turn in range(12):
            if turn % 3:
                posted = await house.earn(member, "grocer", 5)
                assert posted.operation_id is not None
                wrote.append(posted.operation_id)
                continue
            async with database.transaction() as session:
                id_ = new_id()
                await add_event(session, id_, "MEMBER_LINKED", {"type": "CARD"})
                for _ in range(chance.randrange(4)):  # others begin and commit meanwhile
                    await asyncio.sleep(0)
                    await session.connection()
            wrote.append(id_)

    async def follow() -> None:
        connection = await database.connect(**SEALER)
        await prepare(connection, KEYS)
        heard = asyncio.Event()
        await connection.add_listener(numbering.CHANNEL, lambda *_: heard.set())
        while not (done.is_set() and len(seen) >= len(wrote)):
            await seal(connection, KEYS, chance.randrange(1, 20))
            seen.extend(await happened(house, seen[-1].position if seen else -1, 7))
            await asyncio.sleep(0)
        assert heard.is_set()
        await connection.close()

    async with asyncio.timeout(60):
        following = asyncio.create_task(follow())
        await asyncio.gather(*(write(member) for member in members))
        done.set()
        await following
    told = [one.id if one.kind == "POINTS_EARNED" else one.about[0] for one in seen]
    assert sorted(told) == sorted(wrote)
    assert [one.position for one in seen] == list(range(len(wrote)))
    assert await differences(database) == set()


async def test_after_a_restore_into_another_server_numbering_goes_on(house: House) -> None:
    """Its transactions count from elsewhere: what has a number keeps it, what has none comes next."""
    database = house.runtime.database
    holders = [new_id() for _ in range(5)]
    for holder in holders[:2]:
        await noted(database, holder)
    await sealed(database)
    for holder in holders[2:4]:
        await noted(database, holder)
    await rows(database, "UPDATE event SET xid = xid + 1000000000")
    await sealed(database)
    await noted(database, holders[4])
    await sealed(database)
    assert [(one.position, one.about[0]) for one in await happened(house)] == list(enumerate(holders))
    assert await differences(database) == set()


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM event_number WHERE position = 1", "event before the last numbered one has a number"),
        ("UPDATE event_number SET position = 7 WHERE position = 2", "events are numbered without a gap"),
        ("DELETE FROM event WHERE id = (SELECT event_id FROM event_number LIMIT 1)", "number is that of an event"),
    ],
)
async def test_r26_verify_finds_what_is_wrong_with_the_sequence(house: House, harm: str, found: str) -> None:
    database = house.runtime.database
    for _ in range(3):
        await noted(database, new_id())
    await sealed(database)
    await rows(database, harm)
    assert found in await differences(database)
    for table in ("event_number", "event"):
        await rows(database, f"DELETE FROM {table}")


async def test_a14_a_merchant_is_told_of_its_own_side_alone(house: House) -> None:
    database = house.runtime.database
    ann = await house.member()
    grocer, fuel = house.id("grocer"), house.id("fuel")
    await house.earn(ann, "grocer", 500)
    await house.spend(ann, "fuel", 100)
    await house.earn(ann, "fuel", 30, of="FUE")
    await noted(database, ann, grocer)
    await noted(database, ann)
    await sealed(database)
    assert [one.kind for one in await happened(house, merchant_id=fuel)] == ["POINTS_SPENT", "POINTS_EARNED"]
    seen = [one.kind for one in await happened(house, merchant_id=grocer)]
    assert seen == ["POINTS_EARNED", "POINTS_SPENT", "MEMBER_LINKED"]
    assert len(await happened(house)) == 5
    assert await happened(house, merchant_id=new_id()) == []
