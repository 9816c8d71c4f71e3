"""Parts of an operation come back: R18 by line, R20 into their lots, R22 once, and what is kept decides."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.database import Database
from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, NotReversible, ReturnExceedsOrder
from domain.ledger.request import Posted
from domain.ledger.returns import (
    ONE,
    Asked,
    Kept,
    give_back,
    kept_after,
    order_of,
    proportional,
    return_of,
    undone_of_earn,
)
from domain.money import from_minor
from tests.ledger_support import NOON, earn, exchange, expire, members, posted, redeem, reverse, rows

DAY = timedelta(days=1)


def bought(*amounts: int, quantity: str = "1", paid: str | None = None) -> list[Any]:
    """An order of lines "1", "2", ... at these amounts in cents, `paid` of it in money, as it is kept."""
    cents = [f"{amount // 100}.{amount % 100:02}" for amount in amounts]
    return ["USD", paid, *([str(n), None, None, quantity, amount, 0] for n, amount in enumerate(cents, 1))]


def lines(*refs: str, quantity: int | None = None) -> Asked:
    return Asked(lines=tuple((ref, quantity) for ref in refs))


def usd(cents: int) -> Asked:
    return Asked(amount=cents, money="USD")


async def test_r18_returns_of_an_earn_are_its_share_and_sum_to_the_whole(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 100, lines=bought(1_00, 1_00, 1_00)))
    parts = [await engine.post(reverse(ann, granted.operation_id, asked=lines(ref))) for ref in "213"]
    assert [part.points for part in parts] == [33, 33, 34]
    assert await posted(database, [ann]) == {(ann, "GRO"): 0}
    with pytest.raises(AlreadyReversed) as refused:
        await engine.post(reverse(ann, granted.operation_id, asked=lines("1")))
    assert refused.value.data == {"operation": str(parts[2].operation_id)}


async def test_r18_by_quantity_by_amount_and_by_points(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 120, lines=bought(60_00, 60_00, quantity="3")))).operation_id
    assert (await engine.post(reverse(ann, granted, asked=lines("1", quantity=ONE)))).points == 20
    assert (await engine.post(reverse(ann, granted, asked=usd(25_00)))).points == 25
    assert (await engine.post(reverse(ann, granted, asked=Asked(points=5)))).points == 5
    assert (await engine.post(reverse(ann, granted))).points == 70
    assert await posted(database, [ann]) == {(ann, "GRO"): 0}


async def test_r22_more_than_is_left_is_refused_by_name(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 90, lines=bought(60_00, 30_00, quantity="3")))).operation_id
    first = await engine.post(reverse(ann, granted, asked=lines("2")))

    async def refused(asked: Asked) -> Refusal:
        with pytest.raises(Refusal) as found:
            await engine.post(reverse(ann, granted, asked=asked))
        return found.value

    again = await refused(lines("2"))
    assert isinstance(again, AlreadyReversed)
    assert (again.data["operation"], again.path) == (str(first.operation_id), ("lines", "0", "ref"))
    for asked, left, wanted, path in (
        (lines("1", quantity=4 * ONE), "3", "4", ("lines", "0", "quantity")),
        (lines("1", "1", quantity=2 * ONE), "1", "2", ("lines", "1", "quantity")),
        (usd(60_01), "60.00", "60.01", ("amount", "amount")),
        (Asked(points=61), "60", "61", ("points",)),
    ):
        too_much = await refused(asked)
        assert isinstance(too_much, ReturnExceedsOrder)
        assert (too_much.data, too_much.path) == ({"left": left, "requested": wanted}, path)
    for asked, kind, path in (
        (lines("9"), NotFound, ("lines", "0", "ref")),
        (lines("1", quantity=0), InvalidInput, ("lines", "0", "quantity")),
        (Asked(amount=1, money="EUR"), InvalidInput, ("amount", "currency")),
        (usd(0), InvalidInput, ("amount", "amount")),
        (Asked(points=0), InvalidInput, ("points",)),
    ):
        wrong = await refused(asked)
        assert (type(wrong), wrong.path) == (kind, path)
    assert (await engine.post(reverse(ann, granted))).points == 60


async def test_r22_twenty_at_once_return_a_line_once(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 50, lines=bought(30_00, 20_00)))).operation_id
    answers = await asyncio.gather(
        *(engine.post(reverse(ann, granted, asked=lines("1"))) for _ in range(20)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyReversed"] * 19 + ["Posted"]
    assert (await engine.post(reverse(ann, granted, asked=lines("2")))).points == 20


async def test_r22_a_return_is_not_returned(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 50, lines=bought(30_00, 20_00)))).operation_id
    part = await engine.post(reverse(ann, granted, asked=lines("1")))
    with pytest.raises(NotReversible):
        await engine.post(reverse(ann, part.operation_id))


async def test_r20_a_part_of_a_redemption_goes_back_where_it_was_taken_last(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 30, expires_at=NOON + DAY), earn(ann, 30, expires_at=NOON + 9 * DAY)])
    spent = (await engine.post(redeem(ann, 50))).operation_id
    later = NOON + 2 * DAY
    first = await engine.post(reverse(ann, spent, asked=Asked(points=15), as_of=later))
    second = await engine.post(reverse(ann, spent, asked=Asked(points=15), as_of=later))
    assert (first.data, second.data) == ({"restored": 15, "expired": 0}, {"restored": 15, "expired": 10})
    with pytest.raises(ReturnExceedsOrder):
        await engine.post(reverse(ann, spent, asked=Asked(points=21), as_of=later))
    rest = await engine.post(reverse(ann, spent, as_of=later))
    assert rest.data == {"restored": 20, "expired": 20}
    found = await rows(database, "SELECT remaining FROM lot WHERE holder_id = $1 ORDER BY id", ann)
    assert [row["remaining"] for row in found] == [30, 30]
    with pytest.raises(AlreadyReversed):
        await engine.post(reverse(ann, spent, asked=Asked(points=1), as_of=later))


async def test_r23_spent_points_come_back_with_the_part_of_the_order_that_does(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 1_000))
    spent = (await engine.post(redeem(ann, 100))).operation_id
    order = (await engine.post(earn(ann, 30, lines=bought(10_00, 20_00, paid="29.00")))).operation_id
    restored = []
    for ref in "12":
        assert order is not None
        asked = Asked(lines=((ref, None),), order=(ann, order))
        restored.append((await engine.post(reverse(ann, spent, asked=asked))).points)
        await engine.post(reverse(ann, order, asked=asked))
    assert restored == [33, 67]


async def test_what_a_part_cannot_be_named_by_is_refused(engine: PostingEngine) -> None:
    (ann,) = members(1)
    given = (await engine.post(earn(ann, 500))).operation_id
    spent = (await engine.post(redeem(ann, 100))).operation_id
    swapped = (await engine.post(exchange(ann, 100, 80))).operation_id
    for operation, asked, kind in (
        (given, lines("1"), NotFound),
        (given, usd(1), InvalidInput),
        (spent, lines("1"), InvalidInput),
        (spent, usd(1), InvalidInput),
        (swapped, Asked(points=5), InvalidInput),
    ):
        with pytest.raises(kind):
            await engine.post(reverse(ann, operation, asked=asked))
    assert (await engine.post(reverse(ann, given, asked=Asked(points=100)))).points == 100


async def test_r21_a_part_is_not_asked_for_points_that_expired(engine: PostingEngine, database: Database) -> None:
    """Whole or in parts, the same is taken: 40 of the 100 had expired."""
    ann, bob = members(2)
    for member, parts in ((ann, [Asked()]), (bob, [lines("1"), lines("2"), lines("3")])):
        order = bought(30_00, 30_00, 40_00)
        granted = (await engine.post(earn(member, 100, lines=order, expires_at=NOON + DAY))).operation_id
        await engine.post_many([redeem(member, 60), expire(member, as_of=NOON + DAY)])
        await engine.post(earn(member, 200, as_of=NOON + DAY))
        taken = [(await engine.post(reverse(member, granted, asked=asked, as_of=NOON + DAY))).points for asked in parts]
        assert sum(taken) == 60
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 140, (bob, "GRO"): 140}


async def test_r21_the_shortfall_of_a_part_is_forgotten(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 100, lines=bought(60_00, 40_00)))).operation_id
    await engine.post(redeem(ann, 70))
    part = await engine.post(reverse(ann, granted, asked=lines("1")))
    assert part.data == {"taken": 30, "shortfall": 30}
    await engine.post(earn(ann, 25))
    assert (await engine.post(reverse(ann, granted))).data == {"taken": 25, "shortfall": 15}


async def test_a_dry_run_of_a_part_writes_nothing(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 100, lines=bought(60_00, 40_00)))).operation_id
    dry = await engine.post(reverse(ann, granted, asked=lines("1"), dry_run=True))
    assert (dry.operation_id, dry.points) == (None, 60)
    assert await rows(database, "SELECT 1 FROM operation_return") == []


async def test_an_exchange_is_undone_whole_or_not_at_all(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 400))
    swapped = await engine.post(exchange(ann, 100, 80))
    await engine.post(redeem(ann, 1, "FUE"))
    with pytest.raises(InsufficientPoints):
        await engine.post(reverse(ann, swapped.operation_id))


# What is kept alone decides: any way to return the same things ends in the same state.

ORDERS = st.lists(st.tuples(st.integers(0, 40_00), st.integers(1, 4)), min_size=1, max_size=5)


def _order(sizes: Sequence[tuple[int, int]]) -> list[Any]:
    lines = ([str(n), None, None, str(count), from_minor(amount, "USD"), 0] for n, (amount, count) in enumerate(sizes))
    return ["USD", None, *lines]


def _rated(kept: Kept) -> int:
    """A point a dollar, rounded a line, and 50 from 30 dollars on; at most 90."""
    exact = [amount * kept.share for amount in kept.amounts]
    return min(90, sum(int(amount) // 100 for amount in exact) + (50 if sum(exact) >= 30_00 else 0))


@given(ORDERS, st.lists(st.integers(1, 9_00), max_size=2), st.booleans(), st.data())
@settings(max_examples=200)
def test_r18_any_order_of_returns_ends_in_the_same_state(
    sizes: list[tuple[int, int]], amounts: list[int], proportionally: bool, data: st.DataObject
) -> None:
    order = order_of(_order(sizes))
    whole = Kept(order, [line.quantity for line in order.lines])
    granted = 100 if proportionally else _rated(whole)
    value: Callable[[Kept], int] = (lambda kept: proportional(granted, kept)) if proportionally else _rated
    pieces = [lines(str(n), quantity=ONE) for n, (_, count) in enumerate(sizes) for _ in range(count)]
    amounts = amounts if sum(amounts) <= order.total else []
    some = data.draw(st.lists(st.sampled_from(pieces), unique_by=id)) if pieces else []
    asked = [*map(usd, amounts), *some]

    def after(sequence: Sequence[Asked]) -> tuple[int, int, list[int]]:
        past: list[Any] = []
        undone = 0
        for one in sequence:
            kept = kept_after(order, past)
            give_back(kept, one, granted - undone, None)
            now, ended = undone_of_earn(granted, kept, value(kept), kept.points)
            assert now >= undone
            what = {"lines": [*kept.taken.items()], "amount": one.amount or 0, "points": 0}
            past.append(return_of(uuid.uuid4(), what, undone=now - undone, due=0, taken={}, whole=ended))
            undone = now
        return undone, sum(one.undone for one in past), kept_after(order, past).quantities

    first = after(asked)
    # Amounts go first: once goods have gone, an amount may be more than is left.
    assert after([*map(usd, amounts), *data.draw(st.permutations(some))]) == first
    assert after([*asked, *([] if len(some) == len(pieces) else [Asked()])])[0] == granted


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.sampled_from(["line", "points", "amount"]), st.integers(1, 30)), min_size=1, max_size=8),
)
@settings(max_examples=20)
async def test_r18_all_returns_sum_to_the_whole_in_the_books(
    engine: PostingEngine, database: Database, spent: int, steps: list[tuple[str, int]]
) -> None:
    (ann,) = members(1)
    granted = (await engine.post(earn(ann, 61, lines=bought(33_33, 66_67, quantity="10")))).operation_id
    calls = [earn(ann, 200), *([redeem(ann, spent)] if spent else [])]
    for what, number in steps:
        asked = {
            "line": lines("1" if number % 2 else "2", quantity=number * ONE // 7),
            "points": Asked(points=number),
            "amount": usd(number * 77),
        }[what]
        calls.append(reverse(ann, granted, asked=asked))
    answers = await engine.post_many([*calls, reverse(ann, granted)])
    last = answers[-1]
    assert isinstance(last, Posted | AlreadyReversed)
    assert sum(one.points for one in answers if isinstance(one, Posted) and one.kind == "REVERSAL") == 61
    assert await posted(database, [ann]) == {(ann, "GRO"): 200 - spent}
