"""Members become one, and one becomes two again: lots, debts, and reversals of what was before (R6, R18 to R22)."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from domain.base import new_id
from domain.database import Database
from domain.errors import InvalidInput
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import GiftNotWhole, MemberMerged, MergeBlocked, NotMerged, UnmergeBlocked
from domain.ledger.grants import Ending, Part
from tests.ledger_support import (
    ISSUERS,
    NOON,
    activate,
    capture,
    earn,
    exchange,
    exit_,
    expire,
    give,
    grant,
    hold,
    members,
    merge,
    opening,
    posted,
    redeem,
    refund,
    release,
    reverse,
    reverse_exit,
    reverse_top_up,
    rows,
    take_back,
    top_up,
    unmerge,
    waiting,
)

DAY = timedelta(days=1)
UNLIMITED: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": None}}
LOTS = """SELECT id, currency, issuer_id, funder_id, price, granted, remaining, granted_at, expires_at, depth,
                 source_holder_id, source_lot_id, root_holder_id, root_lot_id
          FROM lot WHERE holder_id = $1 ORDER BY currency, expires_at, id"""


async def balance(database: Database, *people: uuid.UUID, currency: str = "GRO") -> list[int]:
    found = await posted(database, people)
    return [found.get((person, currency), 0) for person in people]


async def test_r06_a_merge_carries_lots_as_they_are_and_names_them(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    funder = new_id()
    await engine.post(earn(ann, 50, expires_at=NOON + DAY, funder_id=funder, price=900_000))
    await engine.post(earn(ann, 30, expires_at=NOON + 9 * DAY))
    await engine.post(earn(ann, 7, "FUE"))
    await engine.post(redeem(ann, 20))
    await engine.post(earn(bob, 5))
    done = await engine.post(merge(ann, bob, as_of=NOON + DAY / 2))
    assert done.operation_id is None
    assert done.data["moved"] == [
        {"currency": "FUE", "points": 7, "lots": 1, "debt": 0},
        {"currency": "GRO", "points": 60, "lots": 2, "debt": 0},
    ]
    assert await balance(database, ann, bob) == [0, 65]
    theirs = await rows(database, LOTS, ann)
    mine = [lot for lot in await rows(database, LOTS, bob) if lot["source_lot_id"]]
    assert [(lot["remaining"], made["granted"]) for lot, made in zip(theirs, mine, strict=True)] == [
        (0, 7),
        (0, 30),
        (0, 30),
    ]
    for lot, made in zip(theirs, mine, strict=True):
        for kept in ("currency", "issuer_id", "funder_id", "price", "granted_at", "expires_at", "depth"):
            assert made[kept] == lot[kept]
        assert (made["source_holder_id"], made["source_lot_id"]) == (ann, lot["id"])
        assert (made["root_holder_id"], made["root_lot_id"]) == (ann, lot["id"])
    entries = await rows(
        database,
        """SELECT e.holder_id, e.amount, e.counter_holder_id, o.merchant_id FROM operation o
           JOIN entry e ON e.operation_id = o.id WHERE o.kind = 'MERGE' AND e.currency = 'GRO' ORDER BY e.amount""",
    )
    assert [tuple(row) for row in entries] == [(ann, -60, bob, ISSUERS["GRO"]), (bob, 60, ann, ISSUERS["GRO"])]
    assert len(await rows(database, "SELECT FROM operation WHERE kind = 'MERGE' AND holder_id = $1", ann)) == 2


async def test_r06_what_expired_stays_and_is_booked_where_it_was(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    await engine.post(merge(ann, bob, as_of=NOON + DAY))
    assert await balance(database, ann, bob) == [50, 0]
    assert (await engine.post(expire(ann, as_of=NOON + 2 * DAY))).points == 50


async def test_r16_who_was_merged_moves_nothing_and_the_caller_asks_again(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    await engine.post(merge(ann, bob))
    for request in (earn(ann, 1), redeem(ann, 1), give(bob, ann, 1), merge(ann, bob), merge(bob, ann)):
        with pytest.raises(MemberMerged) as refused:
            await engine.post(request)
        assert (refused.value.code, refused.value.data, refused.value.remembered) == (
            "MEMBER_NOT_ACTIVE",
            {"status": "CLOSED"},
            False,
        )
    with pytest.raises(InvalidInput):
        await engine.post(merge(bob, bob))


async def test_r21_an_earn_made_before_the_merge_is_clawed_back_where_its_lots_are(
    engine: PostingEngine, database: Database
) -> None:
    """Its very lots first, though others end earlier; what is missing by R1's order."""
    ann, bob = members(2)
    first = await engine.post(earn(ann, 100, expires_at=NOON + 9 * DAY))
    await engine.post(earn(ann, 10, expires_at=NOON + 8 * DAY))
    await engine.post(earn(bob, 50, expires_at=NOON + DAY))
    await engine.post(merge(ann, bob))
    await engine.post(redeem(bob, 65))
    done = await engine.post(reverse(ann, first.operation_id))
    assert (done.points, done.data) == (95, {"taken": 95, "shortfall": 5})
    assert await balance(database, ann, bob) == [0, 0]


async def test_r21_only_the_own_lots_of_an_earn_go_while_they_suffice(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    first = await engine.post(earn(ann, 100, expires_at=NOON + 9 * DAY))
    await engine.post(earn(bob, 50, expires_at=NOON + DAY))
    await engine.post(merge(ann, bob))
    await engine.post(reverse(ann, first.operation_id))
    assert [lot["remaining"] for lot in await rows(database, LOTS, bob)] == [50, 0]
    moved = await rows(database, "SELECT amount FROM entry WHERE holder_id = $1 ORDER BY operation_id, seq", ann)
    assert [row[0] for row in moved] == [100, -100, -100, 100]


async def test_r21_expired_points_of_an_earn_are_asked_of_nobody_after_a_merge(engine: PostingEngine) -> None:
    ann, bob = members(2)
    first = await engine.post(earn(ann, 100, expires_at=NOON + DAY))
    await engine.post(earn(bob, 500))
    await engine.post(merge(ann, bob))
    await engine.post(redeem(bob, 30))
    await engine.post(expire(bob, as_of=NOON + 2 * DAY))
    done = await engine.post(reverse(ann, first.operation_id, as_of=NOON + 2 * DAY))
    assert done.data == {"taken": 30, "shortfall": 0}


async def test_r20_a_redemption_made_before_the_merge_comes_back_to_the_survivor(
    engine: PostingEngine, database: Database
) -> None:
    """Into the very lot, so that it counts as restored once; and from there on at once."""
    ann, bob = members(2)
    await engine.post(earn(ann, 100, expires_at=NOON + 9 * DAY))
    spent = await engine.post(redeem(ann, 40))
    await engine.post(merge(ann, bob))
    back = await engine.post(reverse(ann, spent.operation_id, asked=points(15)))
    assert back.data == {"restored": 15, "expired": 0}
    await engine.post(reverse(ann, spent.operation_id))
    assert await balance(database, ann, bob) == [0, 100]
    assert [(lot["granted"], lot["expires_at"]) for lot in await rows(database, LOTS, bob)] == [
        (60, NOON + 9 * DAY),
        (15, NOON + 9 * DAY),
        (25, NOON + 9 * DAY),
    ]


async def test_r20_what_comes_back_expired_stays_where_it_was(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 100, expires_at=NOON + DAY))
    spent = await engine.post(redeem(ann, 40))
    await engine.post(merge(ann, bob))
    back = await engine.post(reverse(ann, spent.operation_id, as_of=NOON + DAY))
    assert back.data == {"restored": 40, "expired": 40}
    assert await balance(database, ann, bob) == [40, 60]


async def test_r20_reversals_follow_a_chain_of_merges(engine: PostingEngine, database: Database) -> None:
    ann, bob, cat, dan = members(4)
    first = await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 40))
    await engine.post(merge(ann, bob))
    await engine.post(merge(bob, cat))
    await engine.post(merge(cat, dan))
    await engine.post(reverse(ann, spent.operation_id))
    assert await balance(database, ann, bob, cat, dan) == [0, 0, 0, 100]
    await engine.post(reverse(ann, first.operation_id))
    assert await balance(database, ann, bob, cat, dan) == [0, 0, 0, 0]
    aliases = await rows(
        database, "SELECT holder_id, into_id, survivor_id FROM member_alias ORDER BY merged_at, holder_id"
    )
    assert {tuple(row) for row in aliases} == {(ann, bob, dan), (bob, cat, dan), (cat, dan, dan)}


async def test_r20_an_exchange_made_before_the_merge_is_undone_whole(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 100))
    done = await engine.post(exchange(ann, 100, 80))
    await engine.post(merge(ann, bob))
    await engine.post(reverse(ann, done.operation_id))
    assert await balance(database, ann, bob) == [0, 100]
    assert await balance(database, ann, bob, currency="FUE") == [0, 0]


async def test_r06_a_gift_is_taken_back_from_whom_its_receiver_became(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob, cat, dan = members(4)
    await engine.post(earn(ann, 100))
    given = await engine.post(give(ann, bob, 60))
    other = await engine.post(give(ann, bob, 10))
    await engine.post(merge(bob, cat))
    await engine.post(merge(ann, dan))
    await engine.post(take_back(ann, bob, given.operation_id))
    assert await balance(database, ann, bob, cat, dan) == [0, 0, 10, 90]
    await engine.post(redeem(cat, 1))
    with pytest.raises(GiftNotWhole):
        await engine.post(take_back(ann, bob, other.operation_id))


async def test_r03_points_that_waited_are_carried_on_when_they_are_active(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    waits = await engine.post(grant(ann, waiting(100, 5), Part(10, Ending())))
    await engine.post(merge(ann, bob))
    assert await balance(database, ann, bob) == [0, 10]
    await engine.post(activate(ann, waits.operation_id, NOON + 5 * DAY))
    assert await balance(database, ann, bob) == [0, 110]
    back = await engine.post(reverse(ann, waits.operation_id, as_of=NOON + 6 * DAY))
    assert back.data == {"taken": 110, "shortfall": 0}


async def test_r17_debts_move_and_later_credits_pay_them(engine: PostingEngine, database: Database) -> None:
    """The merge itself pays nothing. Each debt still names the sale it is of."""
    ann, bob = members(2)
    sales = [await engine.post(earn(ann, 50)), await engine.post(earn(ann, 30))]
    await engine.post(redeem(ann, 80))
    for sale in sales:
        await engine.post(reverse(ann, sale.operation_id, **UNLIMITED))
    await engine.post(earn(bob, 100))
    done = await engine.post(merge(ann, bob))
    assert done.data["moved"] == [{"currency": "GRO", "points": 0, "lots": 0, "debt": 80}]
    assert await balance(database, ann, bob) == [0, 20]
    sources = await rows(database, "SELECT holder_id, points, source_holder_id FROM debt WHERE holder_id = $1", bob)
    assert {tuple(row) for row in sources} == {(bob, 50, ann), (bob, 30, ann)}
    await engine.post(earn(bob, 60))
    assert await balance(database, bob) == [80]
    assert [row[0] for row in await rows(database, "SELECT debt FROM account WHERE holder_id = $1", bob)] == [20]


async def test_r17_what_a_reversal_lets_be_owed_after_a_merge_is_owed_by_the_survivor(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    granted = await engine.post(earn(ann, 50))
    await engine.post(redeem(ann, 50))
    await engine.post(merge(ann, bob))
    await engine.post(reverse(ann, granted.operation_id, **UNLIMITED))
    assert await balance(database, ann, bob) == [0, -50]
    await engine.post(earn(bob, 80))
    assert await balance(database, ann, bob) == [0, 30]


async def test_r14_a_merge_waits_for_open_holds_and_says_so(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    held = await engine.post(hold(ann, 20))
    with pytest.raises(MergeBlocked) as refused:
        await engine.post(merge(ann, bob))
    assert refused.value.data["obstacles"] == [
        {"kind": "OPEN_HOLD", "holder": str(ann), "hold": held.data["hold"], "currency": "GRO", "points": 20}
    ]
    await engine.post(release(held))
    await engine.post(merge(ann, bob))


async def test_r14_the_survivors_holds_stay_as_they_are(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    await engine.post(earn(bob, 20))
    held = await engine.post(hold(bob, 20))
    await engine.post(merge(ann, bob))
    await engine.post(capture(held, 20))
    assert await balance(database, ann, bob) == [0, 50]


async def test_r10_a_dry_run_says_the_same_and_writes_nothing(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    would = await engine.post(merge(ann, bob, dry_run=True))
    assert await balance(database, ann, bob) == [50, 0]
    done = await engine.post(merge(ann, bob))
    assert would.data["moved"] == done.data["moved"]


async def test_r27_the_same_key_is_answered_the_same(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 50))
    asked = merge(ann, bob)
    first, again = await engine.post(asked), await engine.post(asked)
    assert (again.duplicate, again.data) == (True, first.data)
    assert await balance(database, ann, bob) == [0, 50]


async def test_r22_a_merge_is_undone_exactly(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    granted = await engine.post(earn(ann, 100, expires_at=NOON + 9 * DAY))
    await engine.post(earn(ann, 30, "FUE"))
    spent = await engine.post(redeem(ann, 40))
    await engine.post(earn(bob, 7))
    before = await rows(database, LOTS, ann)
    await engine.post(merge(ann, bob))
    await engine.post(earn(bob, 1000, expires_at=NOON + DAY))
    await engine.post(redeem(bob, 1000))
    done = await engine.post(await unmerge(database, ann, bob))
    assert done.data["moved"] == [
        {"currency": "FUE", "points": 30, "debt": 0, "lots": 1},
        {"currency": "GRO", "points": 60, "debt": 0, "lots": 1},
    ]
    assert await rows(database, LOTS, ann) == before
    assert await balance(database, ann, bob) == [60, 7]
    assert await rows(database, "SELECT FROM member_alias") == []
    await engine.post(reverse(ann, spent.operation_id))
    await engine.post(reverse(ann, granted.operation_id))
    assert await balance(database, ann, bob) == [0, 7]
    with pytest.raises(NotMerged):
        await engine.post(await unmerge(database, ann, bob))


async def test_r22_what_came_back_since_goes_back_too_and_a_merge_may_be_done_again(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob, cat = members(3)
    await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 40))
    await engine.post(merge(ann, bob))
    await engine.post(reverse(ann, spent.operation_id))
    await engine.post(await unmerge(database, ann, bob))
    assert await balance(database, ann, bob) == [100, 0]
    await engine.post(merge(ann, cat))
    assert await balance(database, ann, bob, cat) == [0, 0, 100]
    await engine.post(await unmerge(database, ann, cat))
    assert await balance(database, ann, cat) == [100, 0]


async def test_r22_debts_go_back_and_name_their_sale(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    granted = await engine.post(earn(ann, 50))
    await engine.post(redeem(ann, 50))
    await engine.post(reverse(ann, granted.operation_id, **UNLIMITED))
    await engine.post(merge(ann, bob))
    await engine.post(await unmerge(database, ann, bob))
    assert await balance(database, ann, bob) == [-50, 0]
    await engine.post(earn(ann, 80))
    assert await balance(database, ann, bob) == [30, 0]


async def test_r22_the_last_merge_of_a_chain_is_undone_first(engine: PostingEngine, database: Database) -> None:
    ann, bob, cat = members(3)
    await engine.post(earn(ann, 100))
    await engine.post(merge(ann, bob))
    await engine.post(earn(bob, 5))
    await engine.post(merge(bob, cat))
    with pytest.raises(UnmergeBlocked) as refused:
        await engine.post(await unmerge(database, ann, bob))
    assert [one["kind"] for one in refused.value.data["obstacles"]] == ["SURVIVOR_MERGED", "PAID_DEBT"]
    await engine.post(await unmerge(database, bob, cat))
    alias = await rows(database, "SELECT holder_id, into_id, survivor_id FROM member_alias")
    assert [tuple(row) for row in alias] == [(ann, bob, bob)]
    await engine.post(await unmerge(database, ann, bob))
    assert await balance(database, ann, bob, cat) == [100, 5, 0]


BLOCKED = [
    ("SPENT", lambda bob, cat: redeem(bob, 30), 30),
    ("EXPIRED", lambda bob, cat: expire(bob, as_of=NOON + 9 * DAY), 100),
    ("GIVEN", lambda bob, cat: give(bob, cat, 10), 10),
    ("HELD", lambda bob, cat: hold(bob, 25), 25),
    ("EXCHANGED", lambda bob, cat: exchange(bob, 20, 10), 20),
]


@pytest.mark.parametrize(("kind", "request_of", "points_"), BLOCKED)
async def test_r22_an_unmerge_says_what_made_it_impossible(
    engine: PostingEngine, database: Database, kind: str, request_of: Any, points_: int
) -> None:
    ann, bob, cat = members(3)
    await engine.post(earn(ann, 100, expires_at=NOON + 8 * DAY))
    await engine.post(merge(ann, bob))
    await engine.post(request_of(bob, cat))
    with pytest.raises(UnmergeBlocked) as refused:
        await engine.post(await unmerge(database, ann, bob))
    assert refused.value.data["obstacles"] == [{"kind": kind, "currency": "GRO", "points": points_}]


async def test_r22_clawed_back_and_paid_for_debts_are_named_and_what_was_restored_is_no_obstacle(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob, cat, dan = members(4)
    granted = await engine.post(earn(ann, 100))
    await engine.post(merge(ann, bob))
    spent = await engine.post(redeem(bob, 30))
    await engine.post(reverse(bob, spent.operation_id))
    would = await unmerge(database, ann, bob)
    assert (await engine.post(would)).data["moved"][0]["points"] == 100
    await engine.post(merge(ann, cat))
    await engine.post(reverse(ann, granted.operation_id))
    with pytest.raises(UnmergeBlocked) as refused:
        await engine.post(await unmerge(database, ann, cat))
    assert refused.value.data["obstacles"] == [{"kind": "TAKEN_BACK", "currency": "GRO", "points": 100}]
    owed = await engine.post(earn(dan, 5))
    await engine.post(redeem(dan, 5))
    await engine.post(reverse(dan, owed.operation_id, **UNLIMITED))
    await engine.post(merge(dan, bob))
    await engine.post(earn(bob, 2))
    with pytest.raises(UnmergeBlocked) as paid:
        await engine.post(await unmerge(database, dan, bob))
    assert paid.value.data["obstacles"] == [{"kind": "DEBT_PAID", "currency": "GRO", "points": 2}]


async def test_r01_lots_that_were_carried_are_spent_in_the_order_of_those_they_were(
    engine: PostingEngine, database: Database
) -> None:
    """Whatever the order in which the database hands them out."""
    ann, bob = members(2)
    granted = [(await engine.post(earn(ann, points))).operation_id for points in (10, 20, 30)]
    for date in ("'infinity'", "NULL"):  # to another place of the table and of its indexes
        await rows(database, f"UPDATE lot SET expires_at = {date} WHERE operation_id = $1", granted[0])
    await engine.post(merge(ann, bob))
    lots = await rows(database, "SELECT granted FROM lot WHERE holder_id = $1 ORDER BY id", bob)
    assert [lot["granted"] for lot in lots] == [10, 20, 30]


async def test_l04_stored_value_stays_paid_or_bonus_through_a_merge(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    first = await engine.post(top_up(ann, 1000, 100))
    second = await engine.post(top_up(ann, 500))
    await engine.post(redeem(ann, 150, "VAL"))
    await engine.post(merge(ann, bob))
    assert await balance(database, ann, bob, currency="VAL") == [0, 1450]
    gone = await engine.post(refund(bob, 300))
    assert (gone.points, gone.data) == (300, {"bonus": 0})
    await engine.post(reverse_top_up(ann, second.operation_id))
    assert await balance(database, ann, bob, currency="VAL") == [0, 650]
    with pytest.raises(Exception, match="are available"):
        await engine.post(reverse_top_up(ann, first.operation_id))


async def test_r13_a_forced_exit_before_the_merge_is_reversed_at_the_survivor(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 90))
    sold = await engine.post(exit_(ann))
    await engine.post(merge(ann, bob))
    assert await balance(database, ann, bob, currency="VAL") == [0, 30]
    await engine.post(reverse_exit(ann, sold.operation_id))
    assert await balance(database, ann, bob, currency="VAL") == [0, 0]
    assert await balance(database, ann, bob) == [0, 90]


async def test_r28_one_batch_gives_the_books_of_one_by_one(engine: PostingEngine, database: Database) -> None:
    """Chains and what follows them within a batch."""
    ann, bob, cat = members(3)
    asked = [
        earn(ann, 100),
        merge(ann, bob),
        earn(bob, 5),
        opening(cat, 1, NOON),
        merge(bob, cat),
        earn(ann, 7),
        redeem(cat, 6),
    ]
    answers = await engine.post_many(asked)
    assert [type(answer).__name__ for answer in answers] == ["Posted"] * 5 + ["MemberMerged", "Posted"]
    assert await balance(database, ann, bob, cat) == [0, 0, 100]
    alias = await rows(database, "SELECT survivor_id FROM member_alias")
    assert {row[0] for row in alias} == {cat}


def points(number: int) -> Any:
    """So many points of an operation come back."""
    from domain.ledger.returns import Asked

    return Asked(points=number)
