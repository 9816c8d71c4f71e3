"""Floors and debts (R17), and clawback without end (R21)."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import InsufficientPoints
from domain.ledger.queries import WalletFigures, WalletKey, wallets
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from tests.ledger_support import ISSUERS, NOON, earn, exchange, hold, members, redeem, release, reverse, rows

DAY = timedelta(days=1)
UNLIMITED: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": None}}


async def wallet(database: Database, member: uuid.UUID) -> WalletFigures:
    key = WalletKey(member, "GRO", NOON)
    async with database.session() as session:
        return (await wallets(session, [key]))[key][0]


async def figures(database: Database, member: uuid.UUID) -> tuple[int, int, int, int]:
    """Balance, available, held, debt."""
    found = await wallet(database, member)
    return found.balance, found.available, found.held, found.debt


async def indebted(engine: PostingEngine, member: uuid.UUID, debt: int, spent: int = 100) -> Posted:
    """A member who spent `spent` points, and then lost `debt` that they had spent; returns the redemption."""
    granted = await engine.post(earn(member, debt))
    await engine.post(earn(member, spent - debt))
    done = await engine.post(redeem(member, spent))
    undone = await engine.post(reverse(member, granted.operation_id, **UNLIMITED))
    assert (undone.points, undone.data) == (debt, {"taken": debt, "shortfall": 0})
    return done


async def test_r17_a_cancelled_redemption_pays_the_debt_first(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    spent = await indebted(engine, ann, 50)
    assert await figures(database, ann) == (-50, 0, 0, 50)
    undone = await engine.post(reverse(ann, spent.operation_id))
    assert undone.data == {"restored": 100, "expired": 0}
    assert await figures(database, ann) == (50, 50, 0, 0)


async def test_r17_later_credits_pay_the_debt_first(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await indebted(engine, ann, 50)
    await engine.post(earn(ann, 30))
    assert await figures(database, ann) == (-20, 0, 0, 20)
    with pytest.raises(InsufficientPoints) as refused:
        await engine.post(redeem(ann, 1))
    assert refused.value.data == {"available": 0, "requested": 1}
    more = await engine.post(earn(ann, 30))
    assert more.points == 30
    assert await figures(database, ann) == (10, 10, 0, 0)
    found = await rows(database, "SELECT granted, remaining FROM lot WHERE holder_id = $1 ORDER BY id", ann)
    assert [tuple(row) for row in found[2:]] == [(30, 0), (30, 10)]
    assert (await engine.post(redeem(ann, 10))).points == 10


async def test_r17_points_that_come_back_expired_pay_nothing(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 50))
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    spent = await engine.post(redeem(ann, 100))
    await engine.post(reverse(ann, granted.operation_id, **UNLIMITED))
    undone = await engine.post(reverse(ann, spent.operation_id, asked=Asked(points=100), as_of=NOON + DAY))
    assert undone.data == {"restored": 100, "expired": 50}
    assert (await wallet(database, ann)).debt == 0
    assert [row[0] for row in await rows(database, "SELECT remaining FROM lot ORDER BY id")] == [0, 50]


async def test_r17_never_is_never_and_a_limit_holds(engine: PostingEngine, database: Database) -> None:
    for floor, debt in ((0, 0), (30, 30), (80, 60), (None, 60)):
        (ann,) = members(1)
        granted = await engine.post(earn(ann, 100))
        await engine.post(redeem(ann, 60))
        undone = await engine.post(reverse(ann, granted.operation_id, **(UNLIMITED | {"floors": {"GRO": floor}})))
        assert undone.data == {"taken": 40 + debt, "shortfall": 60 - debt}
        assert await figures(database, ann) == (-debt, 0, 0, debt)


async def test_r17_a_limit_counts_what_is_owed_already(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    calls = [earn(ann, 50), earn(ann, 50), redeem(ann, 100)]
    first, second, _ = await engine.post_many(calls)
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    limited = UNLIMITED | {"floors": {"GRO": 70}}
    for one, taken in ((first, 50), (second, 20)):
        assert (await engine.post(reverse(ann, one.operation_id, **limited))).points == taken
    assert await figures(database, ann) == (-70, 0, 0, 70)
    await engine.post(earn(ann, 75))
    assert await figures(database, ann) == (5, 5, 0, 0)
    paid = await rows(database, "SELECT points FROM debt_payment WHERE holder_id = $1 ORDER BY debt_id", ann)
    assert [row["points"] for row in paid] == [50, 20]


async def test_r21_held_points_are_not_touched_and_what_is_owed_is_not_spent(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100))
    held = await engine.post(hold(ann, 70))
    await engine.post(reverse(ann, granted.operation_id, **UNLIMITED))
    assert await figures(database, ann) == (0, 0, 70, 70)
    await engine.post(release(held))
    assert await figures(database, ann) == (0, 70, 0, 70)
    with pytest.raises(InsufficientPoints):
        await engine.post(redeem(ann, 1))
    with pytest.raises(InsufficientPoints):
        await engine.post(exchange(ann, 1, 1))


STEPS = st.lists(st.tuples(st.sampled_from(["earn", "redeem", "undo", "cancel"]), st.integers(1, 60)), max_size=25)


@given(STEPS, st.sampled_from([None, 0, 40]))
@settings(max_examples=25)
async def test_r17_a_debt_never_passes_its_limit_and_no_lot_is_negative(
    engine: PostingEngine, database: Database, steps: list[tuple[str, int]], floor: int | None
) -> None:
    """After every step nothing that could be paid is owed; the books are proved at the end."""
    (ann,) = members(1)
    terms = UNLIMITED | {"floors": {"GRO": floor}}
    earns: list[uuid.UUID | None] = []
    spends: list[uuid.UUID | None] = []
    balance = 0
    for what, number in steps:
        if what == "earn":
            earns.append((await engine.post(earn(ann, number))).operation_id)
            balance += number
        elif what == "redeem" and number <= balance:
            spends.append((await engine.post(redeem(ann, number))).operation_id)
            balance -= number
        elif what == "undo" and earns:
            balance -= (await engine.post(reverse(ann, earns.pop(number % len(earns)), **terms))).points
        elif what == "cancel" and spends:
            undone = await engine.post(reverse(ann, spends.pop(number % len(spends))))
            balance += undone.points - undone.data.get("taken", 0)
        else:
            continue
        assert await figures(database, ann) == (balance, max(0, balance), 0, max(0, -balance))
        assert floor is None or balance >= -floor
