"""L4: stored value through the engine, over real PostgreSQL. Amounts are minor units."""

import asyncio
from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import InvalidInput, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, NotReversible
from domain.ledger.request import Posted
from domain.ledger.verify import verify
from tests.ledger_support import (
    NOON,
    capture,
    expire,
    hold,
    members,
    posted,
    redeem,
    refund,
    reverse,
    reverse_top_up,
    rows,
    top_up,
)

DAY = timedelta(days=1)
LOTS = """SELECT lot.id = t.paid_lot_id AS paid, lot.remaining, lot.expires_at
          FROM lot JOIN top_up t USING (holder_id, operation_id)
          WHERE lot.holder_id = $1 ORDER BY lot.id"""


LOTS_OF_TOP_UP = "top up is its two lots, of which the paid one never expires"
REFUND = "refund takes what it pays back out of what was paid"
CHECKED = {LOTS_OF_TOP_UP, REFUND}


async def left(database: Database, holder: object) -> list[tuple[bool, int]]:
    """What is left of each lot, and whether it was paid for."""
    return [(row["paid"], row["remaining"]) for row in await rows(database, LOTS, holder)]


async def test_l04_paid_and_bonus_are_different_lots_and_only_the_bonus_expires(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    made = await engine.post(top_up(ann, 10_000, 1_500, bonus_expires_at=NOON + DAY))
    assert (made.kind, made.points, made.data) == ("TOP_UP", 11_500, {"paid": 10_000, "bonus": 1_500})
    bonus, paid = await rows(database, LOTS, ann)
    assert (bonus["paid"], bonus["remaining"], bonus["expires_at"]) == (False, 1_500, NOON + DAY)
    assert (paid["paid"], paid["remaining"], paid["expires_at"]) == (True, 10_000, None)
    gone = await engine.post(expire(ann, "VAL", as_of=NOON + 9999 * DAY))
    assert gone.points == 1_500
    assert await left(database, ann) == [(False, 0), (True, 10_000)]


async def test_l04_the_bonus_is_spent_first_also_where_it_never_expires(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(top_up(ann, 500, 100))
    await engine.post(redeem(ann, 150, "VAL"))
    assert await left(database, ann) == [(False, 0), (True, 450)]


async def test_l04_what_was_paid_is_refundable_and_the_bonus_goes_with_it_by_its_share(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(top_up(ann, 1_000, 100))
    await engine.post(redeem(ann, 45, "VAL"))
    first = await engine.post(refund(ann, 500))
    assert (first.kind, first.points, first.data) == ("REFUND", 500, {"bonus": 27}), "half of 55, rounded down"
    with pytest.raises(InsufficientPoints) as refused:
        await engine.post(refund(ann, 501))
    assert refused.value.data == {"available": 500, "requested": 501}
    rest = await engine.post(refund(ann))
    assert (rest.points, rest.data) == (500, {"bonus": 28})
    assert await left(database, ann) == [(False, 0), (True, 0)]
    with pytest.raises(InsufficientPoints):
        await engine.post(refund(ann))
    assert await posted(database, [ann]) == {(ann, "VAL"): 0}


async def test_l04_a_bonus_alone_is_never_refunded(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(top_up(ann, 100, 50, bonus_expires_at=NOON + DAY))
    held = await engine.post(hold(ann, 150, "VAL"))
    with pytest.raises(InsufficientPoints):
        await engine.post(refund(ann))
    await engine.post(capture(held, 150, "VAL"))
    with pytest.raises(InsufficientPoints):
        await engine.post(refund(ann))


async def test_l04_a_top_up_is_reversed_as_long_as_nothing_paid_was_spent(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    made = await engine.post(top_up(ann, 100, 50))
    spent = await engine.post(redeem(ann, 70, "VAL"))
    with pytest.raises(InsufficientPoints):
        await engine.post(reverse_top_up(ann, made.operation_id))
    await engine.post(reverse(ann, spent.operation_id))
    await engine.post(redeem(ann, 20, "VAL"))
    back = await engine.post(reverse_top_up(ann, made.operation_id))
    assert (back.kind, back.points, back.data) == ("REVERSAL", 130, {"taken": 130, "shortfall": 20})
    assert await left(database, ann) == [(False, 0), (True, 0)]
    with pytest.raises(AlreadyReversed):
        await engine.post(reverse_top_up(ann, made.operation_id))


async def test_l04_a_refund_is_final(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(top_up(ann, 100))
    paid_back = await engine.post(refund(ann, 40))
    for again in (reverse(ann, paid_back.operation_id), reverse_top_up(ann, paid_back.operation_id)):
        with pytest.raises(NotReversible):
            await engine.post(again)


async def test_l04_top_up_and_refund_in_one_batch_and_of_twenty_refunds_at_once_one(engine: PostingEngine) -> None:
    (ann,) = members(1)
    made, paid_back = await engine.post_many([top_up(ann, 100, 10), refund(ann, 100)])
    assert isinstance(made, Posted)
    assert isinstance(paid_back, Posted)
    assert (paid_back.points, paid_back.data) == (100, {"bonus": 10})
    await engine.post(top_up(ann, 100))
    answers = await asyncio.gather(*(engine.post(refund(ann, 100)) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, Posted) for answer in answers) == 1
    assert {type(answer) for answer in answers} == {Posted, InsufficientPoints}


async def test_amounts_are_more_than_zero(engine: PostingEngine) -> None:
    (ann,) = members(1)
    for call in (top_up(ann, 0), top_up(ann, 1, -1), refund(ann, 0)):
        with pytest.raises(InvalidInput):
            await engine.post(call)


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("UPDATE top_up SET paid = paid + 1", LOTS_OF_TOP_UP),
        ("UPDATE lot SET expires_at = now()", LOTS_OF_TOP_UP),
        ("DELETE FROM top_up", LOTS_OF_TOP_UP),
        ("UPDATE top_up SET bonus = bonus + 1", LOTS_OF_TOP_UP),
        (
            "UPDATE allocation SET lot_id = (SELECT bonus_lot_id FROM top_up) WHERE amount = -60",
            REFUND,
        ),
    ],
)
async def test_r26_tampering_with_stored_value_is_found(database: Database, tampering: str, check: str) -> None:
    (ann,) = members(1)
    engine = PostingEngine(database)
    await engine.start()
    answers = await engine.post_many([top_up(ann, 100, 10), redeem(ann, 10, "VAL"), refund(ann, 60)])
    await engine.stop()
    assert not any(isinstance(answer, Refusal) for answer in answers)
    async with database.session() as session:
        assert (await verify(session)).differences == []
    connection = await database.connect()
    try:
        await connection.execute(tampering)
    finally:
        await connection.close()
    async with database.session() as session:
        assert check in {difference.check for difference in (await verify(session)).differences}


@pytest.mark.parametrize("size", [1, 2])
async def test_r28_what_a_reversal_puts_back_is_refunded_in_the_same_batch(engine: PostingEngine, size: int) -> None:
    (ann,) = members(1)
    await engine.post(top_up(ann, 100, 30))
    spent = await engine.post(redeem(ann, 130, "VAL"))
    calls = [reverse(ann, spent.operation_id), refund(ann)]
    answers = [answer for start in range(0, 2, size) for answer in await engine.post_many(calls[start : start + size])]
    assert [answer.points for answer in answers if isinstance(answer, Posted)] == [130, 100]
    assert await posted(engine.database, [ann]) == {(ann, "VAL"): 0}
