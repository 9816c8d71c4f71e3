"""What staff moves by hand: adjustments within limits (A16), and expired points that come back (R5)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.base import new_id
from domain.database import Database
from domain.errors import InvalidInput, NotFound
from domain.ledger.adjustments import AdjustmentLimits
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import (
    AdjustmentLimitExceeded,
    AlreadyReversed,
    InsufficientPoints,
    NothingToReinstate,
)
from domain.ledger.model import OperationNote
from domain.ledger.queries import ActivityKey, WalletKey, activity_counts, activity_page, lifetime, operations
from domain.ledger.request import Posted
from tests.ledger_support import (
    ISSUERS,
    NOON,
    adjust,
    earn,
    expire,
    give,
    members,
    posted,
    redeem,
    reinstate,
    reverse,
    rows,
    take_back,
)

DAY = timedelta(days=1)


async def test_a16_an_adjustment_up_is_a_lot_that_the_merchant_funds(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    given = await engine.post(adjust(ann, 70, price=900_000, merchant_id=ISSUERS["FUE"], expires_at=NOON + DAY))
    assert (given.kind, given.points, given.data) == ("ADJUST", 70, {"change": 70})
    (lot,) = await rows(database, "SELECT * FROM lot WHERE holder_id = $1", ann)
    assert (lot["issuer_id"], lot["funder_id"], lot["price"]) == (ISSUERS["GRO"], ISSUERS["FUE"], 900_000)
    assert (lot["granted"], lot["granted_at"], lot["expires_at"]) == (70, NOON, NOON + DAY)
    (note,) = await rows(database, f"SELECT note FROM {OperationNote.__tablename__}")
    assert note["note"] == "goodwill"


async def test_a16_an_adjustment_down_takes_by_r1_and_never_below_zero(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 30), earn(ann, 30, expires_at=NOON + DAY)])
    await engine.post(adjust(ann, -40))
    left = await rows(database, "SELECT expires_at IS NULL, remaining FROM lot WHERE holder_id = $1 ORDER BY id", ann)
    assert [tuple(row) for row in left] == [(True, 20), (False, 0)]
    with pytest.raises(InsufficientPoints) as refusal:
        await engine.post(adjust(ann, -21))
    assert refusal.value.data == {"available": 20, "requested": 21}
    with pytest.raises(InvalidInput):
        await engine.post(adjust(ann, 0))


async def test_r19_an_adjustment_is_undone_either_way(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    up = await engine.post(adjust(ann, 70, expires_at=NOON + DAY))
    down = await engine.post(adjust(ann, -30))
    back = await engine.post(reverse(ann, down.operation_id))
    assert (back.kind, back.points) == ("REVERSAL", 30)
    assert await posted(database, [ann]) == {(ann, "GRO"): 70}
    gone = await engine.post(reverse(ann, up.operation_id))
    assert (gone.points, gone.data) == (70, {"taken": 70, "shortfall": 0})
    with pytest.raises(AlreadyReversed):
        await engine.post(reverse(ann, up.operation_id))
    async with database.session() as session:
        (totals,) = (await lifetime(session, [WalletKey(ann, "GRO", NOON)])).values()
    assert totals.adjusted == 0


async def test_a16_limits_once_and_a_day_count_both_ways_a_client(engine: PostingEngine) -> None:
    ann, bob = members(2)
    limits = AdjustmentLimits(once=50, a_day=100)
    with pytest.raises(AdjustmentLimitExceeded) as once:
        await engine.post(adjust(ann, 51, limits=limits))
    assert once.value.data == {"per": "ONE", "cap": 50, "used": 0}
    await engine.post(adjust(ann, 50, limits=limits))
    await engine.post(adjust(ann, -30, limits=limits))
    with pytest.raises(AdjustmentLimitExceeded) as a_day:
        await engine.post(adjust(bob, 21, limits=limits))
    assert a_day.value.data == {"per": "DAY", "cap": 100, "used": 80}
    for other in (adjust(bob, 21, limits=limits, client_id=new_id()), adjust(bob, 21, limits=limits, as_of=NOON + DAY)):
        assert (await engine.post(other)).points == 21


async def test_a16_the_limit_of_a_day_holds_across_members_and_engines(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(3)]
    for engine in engines:
        await engine.start()
    limits = AdjustmentLimits(once=10, a_day=100)
    asks = [engines[n % 3].post(adjust(person, 10, limits=limits)) for n, person in enumerate(members(30))]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    for engine in engines:
        await engine.stop()
    assert sum(isinstance(answer, Posted) for answer in answers) == 10
    assert sum(isinstance(answer, AdjustmentLimitExceeded) for answer in answers) == 20


async def test_r05_expired_points_come_back_as_lots_that_name_the_original(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 30, expires_at=NOON + DAY), earn(ann, 20, expires_at=NOON + 2 * DAY)])
    originals = await rows(database, "SELECT id FROM lot WHERE holder_id = $1 ORDER BY expires_at", ann)
    later = NOON + 3 * DAY
    gone = await engine.post(expire(ann, as_of=later))
    back = await engine.post(reinstate(ann, gone.operation_id, 35, as_of=later))
    assert (back.kind, back.points) == ("REINSTATE", 35)
    query = "SELECT source_holder_id, source_lot_id, granted, expires_at FROM lot WHERE operation_id = $1 ORDER BY id"
    expected = [(ann, lot["id"], points, later + 30 * DAY) for lot, points in zip(originals, (30, 5), strict=True)]
    assert [tuple(row) for row in await rows(database, query, back.operation_id)] == expected
    assert (await engine.post(redeem(ann, 35, as_of=later))).points == 35


async def test_r05_no_more_comes_back_than_expired(engine: PostingEngine) -> None:
    (ann,) = members(1)
    earned = await engine.post(earn(ann, 30, expires_at=NOON + DAY))
    later = NOON + 2 * DAY
    gone = await engine.post(expire(ann, as_of=later))
    await engine.post(reinstate(ann, gone.operation_id, 10, as_of=later))
    with pytest.raises(NothingToReinstate) as refusal:
        await engine.post(reinstate(ann, gone.operation_id, 21, as_of=later))
    assert refusal.value.data == {"available": 20, "requested": 21}
    twice = await engine.post_many([reinstate(ann, gone.operation_id, as_of=later) for _ in range(2)])
    assert isinstance(twice[0], Posted)
    assert twice[0].points == 20
    assert isinstance(twice[1], NothingToReinstate)
    with pytest.raises(NothingToReinstate):
        await engine.post(reinstate(ann, gone.operation_id, as_of=later))
    with pytest.raises(InvalidInput) as no_expiry:
        await engine.post(reinstate(ann, earned.operation_id, as_of=later))
    assert no_expiry.value.path == ("operation",)
    with pytest.raises(InvalidInput):
        await engine.post(reinstate(ann, gone.operation_id, 0, as_of=later))
    with pytest.raises(NotFound):
        await engine.post(reinstate(ann, new_id(), as_of=later))


async def test_both_sides_see_a_gift_and_its_reversal_in_their_activity_and_totals(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 100))
    first = await engine.post(give(ann, bob, 30))
    second = await engine.post(give(ann, bob, 20))
    back = await engine.post(take_back(ann, bob, first.operation_id))
    await engine.post(adjust(bob, 9))
    await engine.post(adjust(bob, -2))
    async with database.session() as session:
        keys = [ActivityKey(ann), ActivityKey(bob)]
        pages = await activity_page(session, keys, 10, None, None)
        kinds = {key.holder_id: [(row.kind, row.received) for row in page] for key, page in pages.items()}
        assert kinds[ann] == [("REVERSAL", False), ("GIFT", False), ("GIFT", False), ("EARN", False)]
        assert kinds[bob] == [
            ("ADJUST", False),
            ("ADJUST", False),
            ("REVERSAL", True),
            ("GIFT", True),
            ("GIFT", True),
        ]
        older = await activity_page(session, keys, 1, second.operation_id, None)
        assert [page[0].id for page in older.values()] == [first.operation_id] * 2
        oldest = await activity_page(session, keys, 2, None, None, backward=True)
        assert [row.id for row in oldest[keys[1]]] == [first.operation_id, second.operation_id]
        assert list((await activity_counts(session, keys)).values()) == [4, 5]
        gifts = [ActivityKey(holder, kinds=("GIFT",)) for holder in (ann, bob)]
        assert list((await activity_counts(session, gifts)).values()) == [2, 2]
        found = await operations(session, [(ann, first.operation_id), (bob, first.operation_id)])  # type: ignore[list-item]
        assert {key[0]: row.received for key, row in found.items()} == {ann: False, bob: True}
        assert {row.reversed_by for row in found.values()} == {(back.operation_id,)}
        wallets = [WalletKey(holder, "GRO", NOON) for holder in (ann, bob)]
        hers, his = (await lifetime(session, wallets)).values()
    assert (hers.earned, hers.given_out, hers.given_in) == (100, 20, 0)
    assert (his.given_in, his.given_out, his.adjusted) == (20, 0, 7)


async def test_expired_points_that_came_back_are_taken_off_what_expired(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 30, expires_at=NOON + DAY))
    gone = await engine.post(expire(ann, as_of=NOON + DAY))
    await engine.post(reinstate(ann, gone.operation_id, 12, as_of=NOON + DAY))
    async with database.session() as session:
        (totals,) = (await lifetime(session, [WalletKey(ann, "GRO", NOON)])).values()
    assert (totals.earned, totals.expired) == (30, 18)
    assert await posted(database, [ann]) == {(ann, "GRO"): 12}


async def test_r27_a_repeated_adjustment_is_made_once(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    call = adjust(ann, 5)
    first, again = await engine.post(call), await engine.post(replace(call))
    assert again == replace(first, duplicate=True)
    assert await posted(database, [ann]) == {(ann, "GRO"): 5}
