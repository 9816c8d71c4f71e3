"""R6: points from one member to another, through the engine, over real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain.base import new_id
from domain.database import Database
from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import (
    AlreadyReversed,
    BalanceLimitExceeded,
    GiftLimitExceeded,
    GiftNotWhole,
    GiftsNotAllowed,
    GivenTooOften,
    InsufficientPoints,
    MemberNotActive,
    NotReversible,
)
from domain.ledger.gifts import GiftLimits
from domain.ledger.request import Posted
from domain.ledger.standing import Standing
from domain.ledger.verify import verify
from domain.money import MAX_INTEGER
from tests.ledger_support import NOON, earn, expire, give, hold, members, posted, redeem, reverse, rows, take_back

DAY = timedelta(days=1)
LOTS = """SELECT id, issuer_id, funder_id, price, granted, remaining, granted_at, expires_at,
                 source_holder_id, source_lot_id, depth
          FROM lot WHERE holder_id = $1 ORDER BY expires_at, id"""


async def test_r06_a_gift_keeps_issuer_funder_price_and_dates_and_names_its_lots(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    funder = new_id()
    await engine.post(earn(ann, 50, expires_at=NOON + DAY, funder_id=funder, price=900_000))
    await engine.post(earn(ann, 50, expires_at=NOON + 9 * DAY))
    given = await engine.post(give(ann, bob, 60, as_of=NOON + DAY / 2))
    assert (given.kind, given.points, given.holder_id) == ("GIFT", 60, ann)
    first, second = await rows(database, LOTS, ann)
    got = await rows(database, LOTS, bob)
    assert [(lot["granted"], lot["remaining"], lot["depth"]) for lot in got] == [(50, 50, 1), (10, 10, 1)]
    for lot, source in zip(got, (first, second), strict=True):
        for kept in ("issuer_id", "funder_id", "price", "granted_at", "expires_at"):
            assert lot[kept] == source[kept]
        assert (lot["source_holder_id"], lot["source_lot_id"]) == (ann, source["id"])
    assert (first["remaining"], second["remaining"]) == (0, 40)
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 40, (bob, "GRO"): 60}


async def test_r06_a_gift_is_two_entries_one_under_each_holder_naming_each_other(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    given = await engine.post(give(ann, bob, 20))
    found = await rows(
        database,
        """SELECT holder_id, account, amount, counter_holder_id, counter_account, balance_after
           FROM entry WHERE operation_id = $1 ORDER BY amount""",
        given.operation_id,
    )
    assert [tuple(row) for row in found] == [
        (ann, "POINTS", -20, bob, "POINTS", 30),
        (bob, "POINTS", 20, ann, "POINTS", 20),
    ]
    assert [row["holder_id"] for row in await rows(database, "SELECT * FROM operation WHERE kind = 'GIFT'")] == [ann]


async def test_r06_expired_points_do_not_move(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    await engine.post(earn(ann, 5))
    with pytest.raises(InsufficientPoints) as refusal:
        await engine.post(give(ann, bob, 6, as_of=NOON + DAY))
    assert refusal.value.data == {"available": 5, "requested": 6}


async def test_r06_a_gift_expires_when_the_original_would_have(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    await engine.post(give(ann, bob, 50))
    gone = await engine.post(expire(bob, as_of=NOON + DAY))
    assert gone.points == 50


async def test_r06_gifts_to_oneself_of_nothing_and_where_none_are_allowed(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    with pytest.raises(InvalidInput) as to_oneself:
        await engine.post(give(ann, ann, 5))
    assert to_oneself.value.path == ("to",)
    for points in (0, -5):
        with pytest.raises(InvalidInput) as nothing:
            await engine.post(give(ann, bob, points))
        assert nothing.value.path == ("points",)
    with pytest.raises(GiftsNotAllowed):
        await engine.post(give(ann, bob, 5, limits=None))


async def test_r06_caps_of_a_day_by_number_and_by_points(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 500))
    limits = GiftLimits(points=100, gifts=3, depth=9)
    for answer in await engine.post_many([give(ann, bob, 40, limits=limits), give(ann, bob, 40, limits=limits)]):
        assert isinstance(answer, Posted)
    with pytest.raises(GiftLimitExceeded) as too_many_points:
        await engine.post(give(ann, bob, 21, limits=limits))
    assert too_many_points.value.data == {"limit": "POINTS", "cap": 100, "used": 80}
    await engine.post(give(ann, bob, 20, limits=limits))
    with pytest.raises(GiftLimitExceeded) as too_many:
        await engine.post(give(ann, bob, 1, limits=limits._replace(points=10**9)))
    assert too_many.value.data == {"limit": "GIFTS", "cap": 3, "used": 3}
    assert (await engine.post(give(ann, bob, 100, limits=limits, as_of=NOON + DAY))).points == 100
    assert (await engine.post(give(bob, ann, 100, limits=limits))).points == 100, "what one got is not what one gave"


async def test_r06_caps_hold_within_a_batch_and_a_gift_taken_back_counts(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 500))
    limits = GiftLimits(points=100, gifts=2, depth=9)
    answers = await engine.post_many([give(ann, bob, 10, limits=limits) for _ in range(4)])
    assert [type(answer).__name__ for answer in answers] == ["Posted"] * 2 + ["GiftLimitExceeded"] * 2
    assert isinstance(answers[0], Posted)
    await engine.post(take_back(ann, bob, answers[0].operation_id))
    with pytest.raises(GiftLimitExceeded):
        await engine.post(give(ann, bob, 10, limits=limits))


async def test_r06_points_are_given_on_so_many_times(engine: PostingEngine) -> None:
    ann, bob, cat, dan = members(4)
    limits = GiftLimits(10**6, 10**6, depth=2)
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    await engine.post(give(ann, bob, 50, limits=limits))
    await engine.post(give(bob, cat, 50, limits=limits))
    await engine.post(earn(cat, 5))
    with pytest.raises(GivenTooOften) as refusal:
        await engine.post(give(cat, dan, 6, limits=limits))
    assert refusal.value.data == {"depth": 2, "available": 5}
    assert (await engine.post(give(cat, dan, 5, limits=limits))).points == 5
    with pytest.raises(InsufficientPoints):
        await engine.post(give(cat, dan, 51, limits=limits))


async def test_r06_a_gift_taken_back_returns_to_the_very_lots_once(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post_many([earn(ann, 30, expires_at=NOON + DAY), earn(ann, 30)])
    given = await engine.post(give(ann, bob, 40))
    undone = await engine.post(take_back(ann, bob, given.operation_id))
    assert (undone.kind, undone.points) == ("REVERSAL", 40)
    assert [row["remaining"] for row in await rows(database, LOTS, ann)] == [30, 30]
    assert [row["remaining"] for row in await rows(database, LOTS, bob)] == [0, 0]
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 60, (bob, "GRO"): 0}
    with pytest.raises(AlreadyReversed) as again:
        await engine.post(take_back(ann, bob, given.operation_id))
    assert again.value.data == {"operation": str(undone.operation_id)}


async def test_r06_a_gift_that_was_touched_is_not_taken_back(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 40, expires_at=NOON + DAY))
    given = await engine.post(give(ann, bob, 30))
    spent = await engine.post(redeem(bob, 1))
    with pytest.raises(GiftNotWhole) as refusal:
        await engine.post(take_back(ann, bob, given.operation_id))
    assert refusal.value.data == {"points": 30, "available": 29}
    await engine.post(reverse(bob, spent.operation_id))
    with pytest.raises(GiftNotWhole):
        await engine.post(take_back(ann, bob, given.operation_id, as_of=NOON + DAY))
    assert (await engine.post(take_back(ann, bob, given.operation_id))).points == 30


async def test_r14_points_under_a_hold_are_not_given_and_keep_a_gift_from_being_taken_back(
    engine: PostingEngine,
) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 40))
    given = await engine.post(give(ann, bob, 30))
    await engine.post(hold(bob, 10))
    with pytest.raises(InsufficientPoints) as refusal:
        await engine.post(give(bob, ann, 21))
    assert refusal.value.data == {"available": 20, "requested": 21}
    with pytest.raises(GiftNotWhole) as held:
        await engine.post(take_back(ann, bob, given.operation_id))
    assert held.value.data == {"points": 30, "available": 20}


async def test_r22_of_twenty_who_take_a_gift_back_at_once_one_succeeds(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 40))
    given = await engine.post(give(ann, bob, 30))
    asks = [engine.post(take_back(ann, bob, given.operation_id)) for _ in range(20)]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert sorted({type(answer).__name__ for answer in answers}) == ["AlreadyReversed", "Posted"]
    assert sum(isinstance(answer, Posted) for answer in answers) == 1


async def test_only_gifts_are_taken_back_as_gifts(engine: PostingEngine) -> None:
    ann, bob = members(2)
    earned = await engine.post(earn(ann, 40))
    with pytest.raises(NotReversible):
        await engine.post(take_back(ann, bob, earned.operation_id))
    with pytest.raises(NotFound):
        await engine.post(take_back(ann, bob, new_id()))
    given = await engine.post(give(ann, bob, 30))
    with pytest.raises(NotReversible):
        await engine.post(reverse(ann, given.operation_id))


class Statuses:
    shared_lock = None

    def __init__(self, known: dict[Any, str]) -> None:
        self.known = known

    async def load(self, connection: asyncpg.Connection, keys: Any) -> dict[Any, Standing]:
        return {key: Standing(self.known[key]) for key in keys if key in self.known}


async def test_r06_nobody_gives_to_or_from_who_is_frozen_closed_or_unknown(database: Database) -> None:
    ann, bob, cat, nobody = members(4)
    engine = PostingEngine(database, Statuses({ann: "ACTIVE", bob: "FROZEN", cat: "CLOSED"}))
    await engine.start()
    await engine.post(earn(ann, 50))
    for other in (bob, cat):
        with pytest.raises(MemberNotActive) as refusal:
            await engine.post(give(ann, other, 5))
        assert refusal.value.path == ("to",)
        with pytest.raises(MemberNotActive) as refusal:
            await engine.post(give(other, ann, 5))
        assert refusal.value.path == ("from",)
    with pytest.raises(NotFound) as unknown:
        await engine.post(give(ann, nobody, 5))
    assert unknown.value.path == ("to",)
    await engine.stop()
    assert await posted(database, [ann, bob, cat, nobody]) == {(ann, "GRO"): 50}


async def test_a_gift_does_not_lift_a_wallet_past_what_clients_can_read(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post_many([earn(ann, MAX_INTEGER), earn(bob, 1)])
    with pytest.raises(BalanceLimitExceeded):
        await engine.post(give(ann, bob, MAX_INTEGER, limits=GiftLimits(MAX_INTEGER, 9, 9)))


async def test_r27_a_repeated_key_gives_once_and_a_dry_run_never(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    tried = await engine.post(replace(give(ann, bob, 20), dry_run=True))
    assert (tried.operation_id, tried.points) == (None, 20)
    call = give(ann, bob, 20)
    first, second = await engine.post(call), await engine.post(replace(call))
    assert second == replace(first, duplicate=True)
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 30, (bob, "GRO"): 20}


async def test_r28_gifts_in_a_ring_from_three_engines_neither_deadlock_nor_lose_a_point(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(3)]
    for engine in engines:
        await engine.start()
    ring = members(7)
    await engines[0].post_many([earn(person, 100) for person in ring])
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await rows(database, deadlocks)

    async def go_round(engine: PostingEngine, step: int) -> list[Posted | Refusal]:
        answers: list[Posted | Refusal] = []
        for turn in range(40):
            giver = turn % len(ring)
            pairs = [(giver, (giver + step) % len(ring)), ((giver + step) % len(ring), giver)]
            answers += await engine.post_many([give(ring[a], ring[b], 1 + turn % 9) for a, b in pairs])
        return answers

    answers = [a for found in await asyncio.gather(*map(go_round, engines, (1, -1, 3))) for a in found]
    for engine in engines:
        await engine.stop()
    assert {type(answer).__name__ for answer in answers} <= {"Posted", "InsufficientPoints"}
    assert sum(isinstance(answer, Posted) for answer in answers) > 200
    assert sum((await posted(database, ring)).values()) == 700
    assert await rows(database, deadlocks) == before
    async with database.session() as session:
        assert (await verify(session)).differences == []
