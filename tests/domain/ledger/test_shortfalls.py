"""What a reversed earn could not take back is taken of what comes back of its lots later (R21)."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from domain.database import Database
from domain.ledger.commands import Grant
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.ledger.verify import verify
from tests.ledger_support import (
    ISSUERS,
    NOON,
    earn,
    exchange,
    exit_,
    expire,
    give,
    members,
    posted,
    redeem,
    reverse,
    rows,
    take_back,
)

DAY = timedelta(days=1)


async def balance(database: Database, member: uuid.UUID) -> int:
    return (await posted(database, [member]))[member, "GRO"]


async def test_r21_spent_points_of_an_earn_that_no_longer_stands_do_not_come_back(
    engine: PostingEngine, database: Database
) -> None:
    """Earned 100, spent 100, the sale returned with nothing left to claw, then the spend cancelled: nobody has them."""
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 100))
    first = await engine.post(reverse(ann, granted.operation_id))
    assert first.data == {"taken": 0, "shortfall": 100}
    back = await engine.post(reverse(ann, spent.operation_id))
    assert (back.points, back.data) == (100, {"restored": 100, "expired": 0, "taken": 100})
    assert await balance(database, ann) == 0
    made = await rows(
        database,
        """SELECT o.reverses, e.amount FROM operation o JOIN entry e ON e.operation_id = o.id
           WHERE o.reverses IS NOT NULL ORDER BY o.id""",
    )
    assert [tuple(row) for row in made] == [(spent.operation_id, 100), (granted.operation_id, -100)]


async def test_r21_only_what_is_missing_is_taken_and_once(engine: PostingEngine, database: Database) -> None:
    """60 of 100 were spent in two goes; the return takes the 40 that are there, and what comes back pays the rest."""
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100))
    spends = [await engine.post(redeem(ann, points)) for points in (25, 35)]
    assert (await engine.post(reverse(ann, granted.operation_id))).data == {"taken": 40, "shortfall": 60}
    await engine.post(earn(ann, 10))
    taken = [
        (await engine.post(reverse(ann, spend.operation_id, asked=Asked(points=20)))).data["taken"] for spend in spends
    ]
    assert taken == [20, 20]
    assert [(await engine.post(reverse(ann, spend.operation_id))).data["taken"] for spend in spends] == [5, 15]
    assert await balance(database, ann) == 10


async def test_r21_what_was_recovered_of_other_points_is_not_asked_again(
    engine: PostingEngine, database: Database
) -> None:
    """The clawback took the 30 of another earn: so much of what comes back is the member's."""
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100, expires_at=NOON + DAY))
    spent = await engine.post(redeem(ann, 100))
    await engine.post(earn(ann, 30))
    assert (await engine.post(reverse(ann, granted.operation_id))).data == {"taken": 30, "shortfall": 70}
    assert (await engine.post(reverse(ann, spent.operation_id))).data["taken"] == 70
    assert await balance(database, ann) == 30


async def test_r21_in_one_batch_as_one_by_one(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 100))
    outcomes = await engine.post_many([reverse(ann, granted.operation_id), reverse(ann, spent.operation_id)])
    assert [outcome.data["taken"] for outcome in outcomes if isinstance(outcome, Posted)] == [0, 100]
    assert await balance(database, ann) == 0


async def test_r21_dead_points_recover_nothing_and_a_debt_is_paid_first(
    engine: PostingEngine, database: Database
) -> None:
    (ann, bob) = members(2)
    granted = await engine.post(earn(ann, 100, expires_at=NOON + DAY))
    spent = await engine.post(redeem(ann, 100))
    await engine.post(reverse(ann, granted.operation_id))
    back = await engine.post(reverse(ann, spent.operation_id, as_of=NOON + DAY))
    assert back.data == {"restored": 100, "expired": 100}
    assert (await engine.post(expire(ann, as_of=NOON + DAY))).points == 100
    limited: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": 30}}
    granted = await engine.post(earn(bob, 100))
    spent = await engine.post(redeem(bob, 100))
    assert (await engine.post(reverse(bob, granted.operation_id, **limited))).data == {"taken": 30, "shortfall": 70}
    assert (await engine.post(reverse(bob, spent.operation_id))).data["taken"] == 70
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 0, (bob, "GRO"): 0}


async def test_r21_nothing_is_taken_where_the_issuer_never_does(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    never: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "none"}}
    granted = await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 100))
    await engine.post(reverse(ann, granted.operation_id, **never))
    assert "taken" not in (await engine.post(reverse(ann, spent.operation_id, **never))).data
    assert await balance(database, ann) == 100


async def test_r21_of_every_currency_that_an_earn_granted(engine: PostingEngine, database: Database) -> None:
    """100 points and 10 stamps of one purchase, all of them spent; it returns, then both spends are cancelled."""
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100, beside=(Grant("STA", 10),)))
    stamps = await engine.post(redeem(ann, 8, "STA"))
    points = await engine.post(redeem(ann, 70))
    assert (await engine.post(reverse(ann, granted.operation_id))).data == {"taken": 30, "shortfall": 70}
    part = await engine.post(reverse(ann, stamps.operation_id, asked=Asked(points=3)))
    assert part.data == {"restored": 3, "expired": 0, "taken": 3}
    rest = await engine.post_many([reverse(ann, stamps.operation_id), reverse(ann, points.operation_id)])
    assert [one.data["taken"] for one in rest if isinstance(one, Posted)] == [5, 70]
    assert await posted(database, [ann]) == {(ann, "GRO"): 0, (ann, "STA"): 0}
    async with database.session() as session:
        assert (await verify(session)).differences == []


async def test_r21_nothing_active_is_taken_later_where_only_what_waits_is(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    waits: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "pending_only"}}
    granted = await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 100))
    await engine.post(reverse(ann, granted.operation_id, **waits))
    assert "taken" not in (await engine.post(reverse(ann, spent.operation_id, **waits))).data
    assert await balance(database, ann) == 100


async def test_r13_r21_what_the_change_of_an_exit_paid_for_is_not_asked_again(
    engine: PostingEngine, database: Database
) -> None:
    """90 earned, 30 spent, 60 sold for 20 of change. The return takes the change, which pays for 60 of the 90."""
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 90))
    spent = await engine.post(redeem(ann, 30))
    await engine.post(exit_(ann))
    sold = {"sold": {"GRO": "VAL"}}
    assert (await engine.post(reverse(ann, granted.operation_id, **sold))).data == {"taken": 60, "shortfall": 30}
    assert (await engine.post(reverse(ann, spent.operation_id))).data["taken"] == 30
    assert await posted(database, [ann]) == {(ann, "GRO"): 0, (ann, "VAL"): 0}


@pytest.mark.parametrize("how", ["gift", "exchange"])
async def test_r21_so_it_is_with_whatever_comes_back(engine: PostingEngine, database: Database, how: str) -> None:
    (ann, bob) = members(2)
    granted = await engine.post(earn(ann, 100))
    gone = await engine.post(give(ann, bob, 100) if how == "gift" else exchange(ann, 100, 80))
    await engine.post(reverse(ann, granted.operation_id))
    undo = take_back(ann, bob, gone.operation_id) if how == "gift" else reverse(ann, gone.operation_id)
    assert (await engine.post(undo)).data["restored"] == 100
    assert await balance(database, ann) == 0
