"""Four processes at once on one database, each with an engine of its own: nothing is spent twice or lost."""

import asyncio
import multiprocessing
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from alliance.runtime import Runtime
from alliance.verify import verify
from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted, Request
from domain.members.model import EnrolAsk, IdentifierRef
from tests.alliance.support import NOON, House
from tests.ledger_support import (
    adjust,
    capture,
    earn,
    expire,
    give,
    hold,
    key,
    members,
    posted,
    redeem,
    refund,
    reinstate,
    release,
    reverse,
    reverse_top_up,
    rows,
    top_up,
)
from tests.races import process

PROCESSES = 4
MEMBERS = 10

Together = Callable[[Callable[[int], list[Request]]], Any]


@pytest.fixture(scope="module")
def others() -> Iterator[ProcessPoolExecutor]:
    """The processes. Each takes one task, for a task waits until all are taken."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, context, process.enter, (barrier,)) as pool:
        yield pool


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[PostingEngine]:
    """For what comes before the race. After it the books prove themselves, and nobody was in a deadlock."""
    before = await _deadlocks(database)
    opened = PostingEngine(database)
    await opened.start()
    yield opened
    await opened.stop()
    async with database.session() as session:
        assert (await verify(session)).differences == []
    assert await _deadlocks(database) == before


async def _deadlocks(database: Database) -> int:
    (row,) = await rows(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(row[0])


@pytest.fixture
def together(others: ProcessPoolExecutor, database_url: str) -> Together:
    """Post what the function says for the number of each process; all answers, in no order."""

    async def race(calls: Callable[[int], list[Request]]) -> list[process.Answer]:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(others, process.post, database_url, calls(n)) for n in range(PROCESSES)]
        return [*chain.from_iterable(await asyncio.gather(*tasks))]

    return race


def by_member(answers: Sequence[process.Answer], refusal: str, refused: int) -> set[uuid.UUID]:
    """The members of whose calls one succeeded, and all others were refused so."""
    names = Counter(answer if isinstance(answer, str) else "Posted" for answer in answers)
    won = [answer.holder_id for answer in answers if isinstance(answer, Posted)]
    assert names == {"Posted": len(won), refusal: refused}
    assert len(set(won)) == len(won)
    return set(won)


async def test_r16_of_twenty_debits_of_100_from_100_one_succeeds(engine: PostingEngine, together: Together) -> None:
    crowd = members(MEMBERS)
    await engine.post_many([earn(member, 100) for member in crowd])
    answers = await together(lambda _: [redeem(member, 100) for _ in range(5) for member in crowd])
    assert by_member(answers, "InsufficientPoints", 19 * MEMBERS) == set(crowd)
    assert set((await posted(engine.database, crowd)).values()) == {0}


async def test_r16_debits_of_every_kind_never_spend_a_point_twice(engine: PostingEngine, together: Together) -> None:
    """A redemption, a hold, a gift and an adjustment, each from a process of its own."""
    crowd, other = members(MEMBERS), members(1)[0]
    await engine.post_many([earn(member, 100) for member in crowd])
    kinds: list[Callable[[uuid.UUID], Request]] = [
        lambda member: redeem(member, 100),
        lambda member: hold(member, 100),
        lambda member: give(member, other, 100),
        lambda member: adjust(member, -100),
    ]
    answers = await together(lambda n: [kinds[n](member) for _ in range(5) for member in crowd])
    assert by_member(answers, "InsufficientPoints", 19 * MEMBERS) == set(crowd)


async def test_l04_value_is_spent_or_held_or_paid_back(engine: PostingEngine, together: Together) -> None:
    """A redemption, a hold, a refund and the reversal of the top up, each from a process of its own."""
    crowd = members(MEMBERS)
    made = [await engine.post(top_up(member, 100)) for member in crowd]
    kinds: list[Callable[[Posted], Request]] = [
        lambda one: redeem(one.holder_id, 100, "VAL"),
        lambda one: hold(one.holder_id, 100, "VAL"),
        lambda one: refund(one.holder_id),
        lambda one: reverse_top_up(one.holder_id, one.operation_id),
    ]
    answers = await together(lambda n: [kinds[n](one) for _ in range(5) for one in made])
    won = [answer.holder_id for answer in answers if isinstance(answer, Posted)]
    assert sorted(won) == sorted(crowd)
    assert {answer for answer in answers if isinstance(answer, str)} <= {"InsufficientPoints", "AlreadyReversed"}


async def test_r14_a_hold_ends_once(engine: PostingEngine, together: Together) -> None:
    crowd = members(MEMBERS)
    await engine.post_many([earn(member, 100) for member in crowd])
    held = [await engine.post(hold(member, 100)) for member in crowd]
    answers = await together(
        lambda n: [release(one) if n % 2 else capture(one, 100) for _ in range(5) for one in held],
    )
    won = [answer for answer in answers if isinstance(answer, Posted)]
    assert {answer.holder_id for answer in won} == set(crowd)
    assert len(won) == MEMBERS
    assert {answer for answer in answers if isinstance(answer, str)} <= {"AlreadyCaptured", "AlreadyReleased"}
    spent = {answer.holder_id for answer in won if answer.kind == "REDEEM"}
    assert {one for (one, _), points in (await posted(engine.database, crowd)).items() if not points} == spent


async def test_r22_of_twenty_reversals_of_one_operation_one_succeeds(engine: PostingEngine, together: Together) -> None:
    crowd = members(MEMBERS)
    earned = [await engine.post(earn(member, 100)) for member in crowd]
    answers = await together(lambda _: [reverse(one.holder_id, one.operation_id) for _ in range(5) for one in earned])
    assert by_member(answers, "AlreadyReversed", 19 * MEMBERS) == set(crowd)
    assert set((await posted(engine.database, crowd)).values()) == {0}


async def test_r05_expired_points_come_back_once(engine: PostingEngine, together: Together) -> None:
    crowd = members(MEMBERS)
    first = [await engine.post(earn(member, 100)) for member in crowd]
    ends = earn(crowd[0], 1).as_of
    await engine.post_many([earn(member, 100, expires_at=ends) for member in crowd])
    gone = [await engine.post(expire(member)) for member in crowd]
    assert [one.points for one in gone] == [one.points for one in first]
    answers = await together(lambda _: [reinstate(one.holder_id, one.operation_id) for _ in range(5) for one in gone])
    assert by_member(answers, "NothingToReinstate", 19 * MEMBERS) == set(crowd)


async def test_r06_gifts_in_a_ring_neither_deadlock_nor_lose_a_point(engine: PostingEngine, together: Together) -> None:
    """Each process starts the round elsewhere: whoever locked the two in the order of the gift would meet another."""
    ring = members(3)
    await engine.post_many([earn(member, 1000) for member in ring])
    answers = await together(
        lambda n: [give(ring[i % 3], ring[(i + 1) % 3], 7) for i in range(n, n + 60)],
    )
    assert all(isinstance(answer, Posted) for answer in answers)
    assert set((await posted(engine.database, ring)).values()) == {1000}
    assert len(await rows(engine.database, "SELECT FROM operation WHERE kind = 'GIFT'")) == 60 * PROCESSES


async def test_r27_one_key_in_four_processes_is_posted_once(engine: PostingEngine, together: Together) -> None:
    crowd = members(MEMBERS)
    await engine.post_many([earn(member, 50) for member in crowd])
    calls = [replace(earn(member, 10), key=key(f"earn {n}")) for n, member in enumerate(crowd)]
    calls += [replace(redeem(member, 500), key=key(f"redeem {n}")) for n, member in enumerate(crowd)]
    answers = await together(lambda _: [replace(call) for _ in range(5) for call in calls])
    told = [answer for answer in answers if isinstance(answer, Posted)]
    assert Counter(answer.duplicate for answer in told) == {False: MEMBERS, True: 19 * MEMBERS}
    assert Counter((answer.operation_id, answer.kind, answer.points) for answer in told) == {
        (answer.operation_id, "EARN", 10): 20 for answer in told if not answer.duplicate
    }
    assert Counter(answer for answer in answers if isinstance(answer, str)) == {"InsufficientPoints": 20 * MEMBERS}
    assert set((await posted(engine.database, crowd)).values()) == {60}


async def test_r28_no_update_is_lost(engine: PostingEngine, together: Together) -> None:
    """Every process changes every account, in an order of its own, some calls of a batch about others' members."""
    crowd = members(MEMBERS)
    await engine.post_many([earn(member, 1000) for member in crowd])

    def calls(n: int) -> list[Request]:
        found: list[Request] = []
        for i in range(40):
            one, next_ = crowd[i * (2 * n + 1) % MEMBERS], crowd[(i + n + 1) % MEMBERS]
            found += [earn(one, 5), redeem(one, 3), hold(next_, 1)]
            found += [give(one, next_, 2)] if one != next_ else []
        return found

    answers = await together(calls)
    assert all(isinstance(answer, Posted) for answer in answers)
    total = sum((await posted(engine.database, crowd)).values())
    assert total == 1000 * MEMBERS + PROCESSES * 40 * (5 - 3)


async def test_a07_a_cycle_closes_while_four_processes_post(
    runtime: Runtime, others: ProcessPoolExecutor, database_url: str
) -> None:
    """What is owed belongs to the cycle that was open when it was booked, and all of it to one."""
    house = House(runtime)
    crowd = [await house.member() for _ in range(3 * PROCESSES)]
    await house.earn(crowd[0], "fuel", 1)
    loop = asyncio.get_running_loop()
    work = asyncio.gather(
        *(
            loop.run_in_executor(others, process.earn_until, database_url, crowd[n::PROCESSES], 8)
            for n in range(PROCESSES)
        )
    )
    for _ in range(7):
        enough = await house.count("obligation") + 30
        while not work.done() and await house.count("obligation") < enough:
            pass
        await house.close()
    earned = sum(await work)
    assert sum(one.points for one in await house.obligations()) == earned + 1
    ever = """SELECT count(*), count(DISTINCT o.cycle_id),
                     count(*) FILTER (WHERE o.booked_at < c.booked_at OR o.booked_at > closed.at)
              FROM obligation o JOIN settlement_cycle c ON c.id = o.cycle_id
              LEFT JOIN cycle_transition closed ON closed.cycle_id = c.id AND closed.status = 'CLOSED'"""
    ((booked, cycles, elsewhere),) = await rows(house.runtime.database, ever)
    assert (booked > 7 * 30, cycles in (7, 8), elsewhere) == (True, True, 0)


async def test_tills_that_enrol_one_phone_at_once_make_one_member(
    runtime: Runtime, others: ProcessPoolExecutor, database_url: str
) -> None:
    """Each process is two tills, of the grocer or of the filling station; each phone is shown with a card of theirs."""

    def asks(n: int) -> list[EnrolAsk]:
        merchant = ("grocer", "fuel")[n % 2]
        return [
            EnrolAsk(merchant, "STORE", None, (IdentifierRef("PHONE", None, f"+1614555{1000 + phone}"), *more), NOON)
            for phone in range(MEMBERS)
            for more in ((), (IdentifierRef("CARD", None, f"{n}-{phone}"),))
        ]

    loop = asyncio.get_running_loop()
    tills = [loop.run_in_executor(others, process.enrol, database_url, asks(n)) for n in range(PROCESSES)]
    answers = await asyncio.gather(*tills)
    enrolled = [answer for till in answers for answer in till if not isinstance(answer, str)]
    assert len(enrolled) == 2 * MEMBERS * PROCESSES
    owners = [{answer.member_id for till in answers for answer in till[2 * n : 2 * n + 2]} for n in range(MEMBERS)]
    assert all(len(ids) == 1 for ids in owners)
    assert (len(set.union(*owners)), sum(answer.created for answer in enrolled)) == (MEMBERS, MEMBERS)
    assert sum(answer.joined for answer in enrolled) == 2 * MEMBERS
    counts = "SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM member_identifier)"
    assert [tuple(row) for row in await rows(runtime.database, counts)] == [(MEMBERS, MEMBERS * (1 + PROCESSES))]
