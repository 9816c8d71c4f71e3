"""Lots that slide (R4), limits (R9) and points that wait (R3, R7), in the ledger alone."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.database import Database
from domain.errors import Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, LimitExceeded, NotPending
from domain.ledger.grants import EarnInParts, Ending, Limits, Part
from domain.ledger.queries import WalletKey, lifetime, lots_page, wallets
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from tests.ledger_support import (
    ISSUERS,
    NOON,
    activate,
    earn,
    expire,
    grant,
    hold,
    members,
    redeem,
    reject,
    reverse,
    rows,
    waiting,
)

DAY = timedelta(days=1)
TEN = "10 days"


def slides(as_of: datetime) -> Mapping[tuple[str, str], datetime]:
    return {("GRO", TEN): as_of + 10 * DAY}


def sliding(person: uuid.UUID, points: int, as_of: datetime) -> EarnInParts:
    """Points that end by ten days of inactivity."""
    return grant(person, Part(points, Ending(as_of + 10 * DAY, TEN)), as_of=as_of, slides=slides(as_of))


async def figures(database: Database, person: uuid.UUID, as_of: datetime = NOON) -> tuple[int, int]:
    """Balance and pending."""
    async with database.session() as session:
        found = (await wallets(session, [WalletKey(person, "GRO", as_of)])).popitem()[1]
    return (found[0].balance, found[0].pending) if found else (0, 0)


async def test_r04_any_earn_or_spend_moves_the_date_of_all_lots_that_slide(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(sliding(ann, 100, NOON))
    await engine.post(sliding(ann, 20, NOON + 6 * DAY))
    await engine.post(redeem(ann, 10, as_of=NOON + 12 * DAY, slides=slides(NOON + 12 * DAY)))
    async with database.session() as session:
        asked = WalletKey(ann, "GRO", NOON + 13 * DAY)
        (found,) = (await lots_page(session, [asked], 5, None, None)).values()
    assert {lot.expires_at for lot in found} == {NOON + 22 * DAY}
    assert await figures(database, ann, NOON + 22 * DAY - timedelta(seconds=1)) == (110, 0)
    assert await figures(database, ann, NOON + 22 * DAY) == (0, 0)
    gone = await engine.post(expire(ann, as_of=NOON + 22 * DAY))
    assert gone.points == 110


async def test_r02_r04_activity_wakes_no_lot_that_has_ended(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(sliding(ann, 100, NOON))
    later = NOON + 10 * DAY
    await engine.post(sliding(ann, 5, later))
    assert await figures(database, ann, later) == (5, 0)
    with pytest.raises(InsufficientPoints):
        await engine.post(redeem(ann, 6, as_of=later, slides=slides(later)))
    assert (await engine.post(expire(ann, as_of=later))).points == 100
    assert await figures(database, ann, later + 9 * DAY) == (5, 0)


async def test_r04_lots_of_other_policies_do_not_slide(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    ends = NOON + 3 * DAY
    await engine.post(grant(ann, Part(7, Ending(ends)), Part(3, Ending(NOON + 10 * DAY, TEN)), slides=slides(NOON)))
    await engine.post(sliding(ann, 1, NOON + 2 * DAY))
    assert await figures(database, ann, ends) == (4, 0)


async def test_r04_r28_a_batch_slides_as_one_by_one(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    for one in _life(ann):
        await engine.post_many([one])
    await engine.post_many(_life(bob))
    found = [
        await rows(
            database,
            """SELECT l.currency, l.granted, l.remaining, s.expires_at FROM lot l
               JOIN sliding_expiry s ON s.holder_id = l.holder_id AND s.id = l.sliding_id
               WHERE l.holder_id = $1 ORDER BY l.granted""",
            person,
        )
        for person in (ann, bob)
    ]
    assert [tuple(row) for row in found[0]] == [tuple(row) for row in found[1]]


def _life(person: uuid.UUID) -> list[Any]:
    spend = redeem(person, 40, as_of=NOON + 14 * DAY, slides=slides(NOON + 14 * DAY))
    return [
        sliding(person, 30, NOON),
        sliding(person, 20, NOON + 5 * DAY),
        spend,
        sliding(person, 60, NOON + 30 * DAY),
        expire(person, as_of=NOON + 31 * DAY),
    ]


def per_day(cap: int, *, refuse: bool = False) -> Limits:
    return Limits(3, periods=(("perDay", cap, NOON - DAY, NOON + DAY),), refuse=refuse)


async def test_r09_a_truncated_earn_says_so(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    first = await engine.post(grant(ann, Part(80, Ending()), limits=per_day(100)))
    second = await engine.post(grant(ann, Part(50, Ending()), limits=per_day(100)))
    third = await engine.post(grant(ann, Part(50, Ending()), limits=per_day(100)))
    assert (first.points, second.points, third.points) == (80, 20, 0)
    assert "truncated" not in first.data
    assert (second.data["truncated"], third.data["truncated"]) == (30, 50)
    assert second.decisions == [{"rule": "limit:perDay", "version": 3, "points": -30}]
    assert await figures(database, ann) == (100, 0)


async def test_r09_a_limit_that_refuses_names_itself(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(grant(ann, Part(80, Ending()), limits=per_day(100, refuse=True)))
    with pytest.raises(LimitExceeded) as refused:
        await engine.post(grant(ann, Part(21, Ending()), limits=per_day(100, refuse=True)))
    assert refused.value.data == {"limit": "perDay", "cap": 100, "used": 80, "requested": 21}
    assert (await engine.post(grant(ann, Part(20, Ending()), limits=per_day(100, refuse=True)))).points == 20


async def test_r09_another_period_has_its_own_room(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(grant(ann, Part(100, Ending()), limits=per_day(100)))
    tomorrow = Limits(1, periods=(("perDay", 100, NOON + DAY, NOON + 2 * DAY),))
    assert (await engine.post(grant(ann, Part(100, Ending()), as_of=NOON + DAY, limits=tomorrow))).points == 100


async def test_r09_per_transaction_and_balance(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    limits = Limits(1, per_transaction=60, balance=100)
    await engine.post(earn(ann, 1, expires_at=NOON - DAY))
    answers = [await engine.post(grant(ann, Part(70, Ending()), limits=limits)) for _ in range(3)]
    assert [answer.points for answer in answers] == [60, 40, 0]
    await engine.post(redeem(ann, 30))
    assert (await engine.post(grant(ann, Part(70, Ending()), limits=limits))).points == 30


async def test_r09_pending_counts_towards_a_balance(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(grant(ann, waiting(70, 3), limits=Limits(1, balance=100)))
    assert (await engine.post(grant(ann, Part(50, Ending()), limits=Limits(1, balance=100)))).points == 30
    assert await figures(database, ann) == (30, 70)


async def test_r09_a_reversal_gives_room_back(engine: PostingEngine) -> None:
    (ann,) = members(1)
    first = await engine.post(grant(ann, Part(100, Ending()), limits=per_day(100)))
    await engine.post(reverse(ann, first.operation_id, as_of=NOON + 2 * DAY))
    second = await engine.post(grant(ann, Part(90, Ending()), limits=per_day(100)))
    assert second.points == 90
    undo, again = reverse(ann, second.operation_id), grant(ann, Part(100, Ending()), limits=per_day(100))
    outcomes = await engine.post_many([undo, again])
    assert [outcome.points for outcome in outcomes if isinstance(outcome, Posted)] == [90, 100]


async def test_r09_a_return_in_part_gives_room_back_in_its_day(engine: PostingEngine, database: Database) -> None:
    """As much as is taken back, whenever: 40 of 100 two days later leave 40 of that day; what was spent leaves none."""
    (ann,) = members(1)
    first = await engine.post(grant(ann, Part(100, Ending()), limits=per_day(100)))
    await engine.post(reverse(ann, first.operation_id, asked=Asked(points=40), as_of=NOON + 2 * DAY))
    undo = reverse(ann, first.operation_id, asked=Asked(points=10))
    some = [grant(ann, Part(100, Ending()), limits=per_day(100)) for _ in range(3)]
    outcomes = await engine.post_many([some[0], undo, some[1]])
    assert [one.points for one in outcomes if isinstance(one, Posted)] == [40, 10, 10]
    await engine.post(redeem(ann, 70))
    assert (await engine.post(reverse(ann, first.operation_id))).data == {"taken": 30, "shortfall": 20}
    assert (await engine.post(some[2])).points == 30
    assert await figures(database, ann) == (30, 0)


async def test_r09_a_rules_room_comes_back_in_proportion(engine: PostingEngine) -> None:
    """Of 150 the rule gave 50, its cap. 30 come back: a fifth of its 50; one of the rest, a part of a point: none."""
    (ann,) = members(1)
    week = (("perWeek", 50, NOON - DAY, NOON + 6 * DAY),)
    parts = (Part(100, Ending()), Part(50, Ending(), limits=Limits(2, periods=week, rule="double")))
    decisions = [{"rule": "base", "version": 1, "points": 100}, {"rule": "double", "version": 2, "points": 50}]

    def more(points: int) -> EarnInParts:
        return grant(
            ann,
            replace(parts[1], points=points),
            decisions=[{"rule": "double", "version": 2, "points": points}],
        )

    first = await engine.post(grant(ann, *parts, decisions=decisions))
    assert (await engine.post(more(5))).points == 0
    undo = [reverse(ann, first.operation_id, asked=Asked(points=points)) for points in (15, 15, 1)]
    outcomes = await engine.post_many([undo[0], more(50), undo[1], undo[2], more(50)])
    assert [one.points for one in outcomes if isinstance(one, Posted)] == [15, 5, 15, 1, 5]
    assert (await engine.post(more(50))).points == 0
    await engine.post(redeem(ann, 129))
    assert (await engine.post(reverse(ann, first.operation_id))).data["shortfall"] == 119
    assert (await engine.post(more(50))).points == 0, "what was spent was had"


async def test_r09_a_rule_has_limits_of_its_own(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    week = (("perWeek", 50, NOON - DAY, NOON + 6 * DAY),)

    def bought(base: int, double: int, **named: Any) -> EarnInParts:
        decisions = [{"rule": "base", "version": 1, "points": base}, {"rule": "double", "version": 2, "points": double}]
        limits = Limits(2, per_transaction=40, periods=week, rule="double", refuse=named.pop("refuse", False))
        parts = (Part(base, Ending()), Part(double, Ending(), limits=limits))
        return grant(ann, *parts, decisions=decisions, **named)

    first = await engine.post(bought(100, 45))
    assert first.points == 140
    assert first.decisions[2:] == [{"rule": "limit:double:perTransaction", "version": 2, "points": -5}]
    second, third = await engine.post_many([bought(100, 20), bought(100, 20)])
    assert isinstance(second, Posted)
    assert isinstance(third, Posted)
    assert (second.points, third.points) == (110, 100)
    with pytest.raises(LimitExceeded) as refused:
        await engine.post(bought(100, 1, refuse=True))
    assert refused.value.data == {"limit": "double:perWeek", "cap": 50, "used": 50, "requested": 1}
    undo, again = reverse(ann, first.operation_id), bought(100, 60)
    _, after = await engine.post_many([undo, again])
    assert isinstance(after, Posted)
    assert after.points == 140
    assert (await engine.post(bought(0, 9))).points == 0
    assert await figures(database, ann) == (350, 0)


async def test_r09_r16_of_twenty_at_once_no_more_than_the_limit(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    calls = [grant(ann, Part(30, Ending()), limits=per_day(100)) for _ in range(20)]
    answers = await asyncio.gather(*(engine.post(call) for call in calls))
    assert sorted(answer.points for answer in answers) == [0] * 16 + [10, 30, 30, 30]
    assert await figures(database, ann) == (100, 0)


async def test_r09_a_dry_run_answers_the_same_and_takes_no_room(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(grant(ann, Part(80, Ending()), limits=per_day(100)))
    tried = await engine.post(grant(ann, Part(50, Ending()), limits=per_day(100), dry_run=True))
    done = await engine.post(grant(ann, Part(50, Ending()), limits=per_day(100)))
    assert (tried.points, tried.data, tried.decisions) == (done.points, done.data, done.decisions)


async def test_r03_pending_points_cannot_be_spent_and_live_from_when_they_are_active(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, Part(40, Ending()), waiting(60, 14)))
    assert (earned.points, earned.data["pending"]) == (100, 60)
    assert await figures(database, ann) == (40, 60)
    with pytest.raises(InsufficientPoints):
        await engine.post(redeem(ann, 41))
    early = await engine.post(activate(ann, earned.operation_id, NOON + 13 * DAY))
    assert early.operation_id is None
    then = NOON + 14 * DAY
    done = await engine.post(activate(ann, earned.operation_id, then))
    assert (done.kind, done.points) == ("ACTIVATE", 60)
    assert await figures(database, ann, then) == (100, 0)
    assert await figures(database, ann, then + 10 * DAY) == (40, 0)
    assert (await engine.post(activate(ann, earned.operation_id, then))).operation_id is None
    async with database.session() as session:
        (totals,) = (await lifetime(session, [WalletKey(ann, "GRO", then)])).values()
    assert totals.earned == 100


async def test_r03_an_event_confirms_points_once(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, waiting(60, None)))
    assert (await engine.post(activate(ann, earned.operation_id, NOON + 500 * DAY))).operation_id is None
    confirmed = await engine.post(activate(ann, earned.operation_id, NOON, confirms=True))
    assert confirmed.points == 60
    with pytest.raises(NotPending):
        await engine.post(activate(ann, earned.operation_id, NOON, confirms=True))
    with pytest.raises(NotPending):
        await engine.post(reject(ann, earned.operation_id))
    assert await figures(database, ann) == (60, 0)


async def test_r03_what_is_rejected_is_gone_wholly(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, waiting(60, 5), waiting(40, None)))
    gone = await engine.post(reject(ann, earned.operation_id))
    assert (gone.points, gone.data) == (100, {"taken": 100, "shortfall": 0})
    assert await figures(database, ann) == (0, 0)
    assert (await engine.post(activate(ann, earned.operation_id, NOON + 9 * DAY))).operation_id is None
    with pytest.raises(AlreadyReversed):
        await engine.post(reject(ann, earned.operation_id))


async def test_r21_a_reversal_removes_what_is_pending_and_claws_back_the_rest(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, Part(40, Ending()), waiting(50, 3), waiting(10, 9)))
    await engine.post(activate(ann, earned.operation_id, NOON + 3 * DAY))
    await engine.post(redeem(ann, 30, as_of=NOON + 3 * DAY))
    with pytest.raises(NotPending):
        await engine.post(reject(ann, earned.operation_id))
    gone = await engine.post(reverse(ann, earned.operation_id, as_of=NOON + 4 * DAY))
    assert gone.data == {"taken": 70, "shortfall": 30}
    assert await figures(database, ann, NOON + 4 * DAY) == (0, 0)


@pytest.mark.parametrize(("mode", "taken", "left"), [("pending_only", 50, (50, 0)), ("none", 0, (50, 50))])
async def test_r21_a_mode_may_take_only_what_is_pending_or_nothing(
    engine: PostingEngine, database: Database, mode: str, taken: int, left: tuple[int, int]
) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, Part(50, Ending()), waiting(50, 3)))
    terms = {"clawback": {ISSUERS["GRO"]: mode}}
    gone = await engine.post(reverse(ann, earned.operation_id, asked=Asked(points=80), **terms))
    assert gone.data == {"taken": taken, "shortfall": 80 - taken}
    gone = await engine.post(reverse(ann, earned.operation_id, **terms))
    assert gone.data == {"taken": 0, "shortfall": 20}
    assert await figures(database, ann) == left


async def test_r03_what_is_rejected_goes_whatever_the_mode(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, waiting(50, 3)))
    gone = await engine.post(reject(ann, earned.operation_id, clawback={ISSUERS["GRO"]: "none"}))
    assert gone.data == {"taken": 50, "shortfall": 0}
    assert await figures(database, ann) == (0, 0)


async def test_r17_points_that_become_active_pay_what_is_owed(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    spent = await engine.post(earn(ann, 100))
    await engine.post(redeem(ann, 100))
    earned = await engine.post(grant(ann, Part(10, Ending()), waiting(60, None)))
    await engine.post(redeem(ann, 10))
    endless = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": None}}
    await engine.post(reverse(ann, spent.operation_id, **endless))
    assert await figures(database, ann) == (-100, 60)
    await engine.post(activate(ann, earned.operation_id, NOON, confirms=True))
    assert await figures(database, ann) == (-40, 0)
    await engine.post(grant(ann, Part(30, Ending()), Part(30, Ending(NOON + DAY))))
    assert await figures(database, ann) == (20, 0)


async def test_r09_r17_what_is_owed_leaves_room_in_a_balance(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    spent = await engine.post(earn(ann, 100))
    await engine.post(redeem(ann, 100))
    endless = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": None}}
    await engine.post(reverse(ann, spent.operation_id, **endless))
    given = await engine.post(grant(ann, Part(300, Ending()), limits=Limits(1, balance=150)))
    assert given.points == 250
    assert await figures(database, ann) == (150, 0)


async def test_r09_points_under_a_hold_count_towards_a_balance(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 80))
    await engine.post(hold(ann, 50))
    assert (await engine.post(grant(ann, Part(90, Ending()), limits=Limits(1, balance=100)))).points == 20


async def test_r28_confirming_and_rejecting_at_once_one_succeeds(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    earned = await engine.post(grant(ann, waiting(60, None)))
    calls = [
        ask
        for _ in range(5)
        for ask in (activate(ann, earned.operation_id, NOON, confirms=True), reject(ann, earned.operation_id))
    ]
    outcomes = await engine.post_many(calls)
    assert sum(not isinstance(outcome, Refusal) for outcome in outcomes) == 1
    assert await figures(database, ann) in [(60, 0), (0, 0)]
