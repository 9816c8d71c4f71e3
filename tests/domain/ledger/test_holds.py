"""Hold before tender (R14): what is set aside, taken, given back, and when it is too late."""

import asyncio
import uuid
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.database import Database
from domain.errors import IdempotencyConflict, InvalidInput, NotFound, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import (
    AlreadyCaptured,
    AlreadyReleased,
    HoldExceeded,
    HoldLapsed,
    InsufficientPoints,
    MemberNotActive,
)
from domain.ledger.holds import ReleaseHold
from domain.ledger.queries import WalletKey, wallets
from domain.ledger.request import Posted
from domain.ledger.standing import Standing
from domain.ledger.verify import verify
from tests.ledger_support import (
    CLIENT,
    NOON,
    adjust,
    capture,
    earn,
    exchange,
    expire,
    give,
    hold,
    hold_of,
    key,
    lapse,
    members,
    posted,
    redeem,
    release,
    reverse,
    rows,
)

DAY = timedelta(days=1)
LATER = NOON + timedelta(seconds=900)


async def figures(database: Database, member: uuid.UUID, as_of: datetime = NOON) -> tuple[int, int, int]:
    """Balance, available, held."""
    async with database.session() as session:
        wanted = WalletKey(member, "GRO", as_of)
        (found,) = (await wallets(session, [wanted]))[wanted]
    return found.balance, found.available, found.held


async def taken_of(database: Database, member: uuid.UUID) -> list[tuple[int, int, int]]:
    """Granted, remaining and held of each lot, in the order of their grant."""
    sql = "SELECT granted, remaining, held FROM lot WHERE holder_id = $1 ORDER BY id"
    return [tuple(row) for row in await rows(database, sql, member)]


async def test_r14_a_hold_of_15_captured_for_13_releases_2(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    assert (held.operation_id, held.points) == (None, 15)
    assert await figures(database, ann) == (20, 5, 15)
    call = capture(held, 13, key=key("the-capture", b"13"))
    captured = await engine.post(call)
    assert (captured.kind, captured.points, captured.data["released"]) == ("REDEEM", 13, 2)
    assert await figures(database, ann) == (7, 7, 0)
    assert await engine.post(replace(call)) == replace(captured, duplicate=True)
    with pytest.raises(IdempotencyConflict):
        await engine.post(capture(held, 14, key=key("the-capture", b"14")))
    with pytest.raises(AlreadyCaptured) as refused:
        await engine.post(capture(held, 13))
    assert refused.value.data["operation"] == str(captured.operation_id)
    assert await figures(database, ann) == (7, 7, 0)


async def test_r14_capturing_16_of_15_exceeds_the_hold(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 100))
    held = await engine.post(hold(ann, 15))
    with pytest.raises(HoldExceeded) as refused:
        await engine.post(capture(held, 16))
    assert refused.value.data == {"held": 15, "requested": 16}
    with pytest.raises(InvalidInput):
        await engine.post(capture(held, 0))
    assert await figures(database, ann) == (100, 85, 15)


async def test_r14_a_release_gives_all_of_it_back_once(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    call = release(held)
    released = await engine.post(call)
    assert (released.points, released.operation_id) == (15, None)
    assert await figures(database, ann) == (20, 20, 0)
    assert (await engine.post(replace(call))).duplicate
    for late in (release(held), capture(held, 1)):
        with pytest.raises(AlreadyReleased):
            await engine.post(late)
    assert await rows(database, "SELECT 1 FROM operation WHERE kind <> 'EARN'") == []


async def test_r14_a_lapsed_hold_is_neither_captured_nor_released_though_nothing_came_back_yet(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    for late in (capture(held, 15, as_of=LATER), release(held, as_of=LATER)):
        with pytest.raises(HoldLapsed):
            await engine.post(late)
    early = await engine.post(lapse(held, as_of=LATER - timedelta(microseconds=1)))
    assert (early.kind, await figures(database, ann, LATER)) == ("NONE", (20, 5, 15))
    assert (await engine.post(lapse(held, as_of=LATER))).points == 15
    assert await figures(database, ann, LATER) == (20, 20, 0)
    assert (await engine.post(lapse(held, as_of=LATER))).kind == "NONE"
    with pytest.raises(HoldLapsed):
        await engine.post(capture(held, 1, as_of=LATER))


async def test_r14_until_the_last_instant_a_hold_is_captured(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    assert (await engine.post(capture(held, 15, as_of=LATER - timedelta(microseconds=1)))).points == 15
    assert (await engine.post(lapse(held, as_of=LATER))).kind == "NONE"
    assert await figures(database, ann, LATER) == (5, 5, 0)


async def test_r14_lots_are_allocated_when_authorised_and_taken_in_that_order(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 10, expires_at=NOON + 3 * DAY))
    await engine.post(earn(ann, 10, expires_at=NOON + 2 * DAY))
    held = await engine.post(hold(ann, 15))
    await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    assert await taken_of(database, ann) == [(10, 10, 5), (10, 10, 10), (10, 10, 0)]
    await engine.post(capture(held, 12))
    assert await taken_of(database, ann) == [(10, 8, 0), (10, 0, 0), (10, 10, 0)]


async def test_r14_every_other_debit_counts_a_hold(engine: PostingEngine, database: Database) -> None:
    ann, bob = members(2)
    earned = await engine.post(earn(ann, 100))
    await engine.post(hold(ann, 60))
    for debit in (redeem(ann, 41), exchange(ann, 41, 1), hold(ann, 41), give(ann, bob, 41), adjust(ann, -41)):
        with pytest.raises(InsufficientPoints) as refused:
            await engine.post(debit)
        assert refused.value.data == {"available": 40, "requested": 41}
    undone = await engine.post(reverse(ann, earned.operation_id))
    assert undone.data == {"taken": 40, "shortfall": 60}
    assert await figures(database, ann) == (60, 0, 60)


async def test_r14_what_came_by_exchange_and_is_held_is_not_taken_back(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 100))
    exchanged = await engine.post(exchange(ann, 100, 80))
    await engine.post(hold(ann, 30, "FUE"))
    with pytest.raises(InsufficientPoints) as refused:
        await engine.post(reverse(ann, exchanged.operation_id))
    assert refused.value.data == {"available": 50, "requested": 80}


async def test_r14_expiry_of_a_lot_under_a_hold_waits_for_the_hold(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 100, expires_at=NOON + DAY))
    held = await engine.post(hold(ann, 60, seconds=3 * 86_400))
    night = NOON + 2 * DAY
    assert (await engine.post(expire(ann, as_of=night))).points == 40
    assert await figures(database, ann, night) == (60, 0, 60)
    captured = await engine.post(capture(held, 50, as_of=night))
    assert await figures(database, ann, night) == (0, 0, 0)
    assert await posted(database, [ann]) == {(ann, "GRO"): 10}
    assert (await engine.post(expire(ann, as_of=night))).points == 10
    undone = await engine.post(reverse(ann, captured.operation_id, as_of=night))
    assert undone.data == {"restored": 50, "expired": 50}


async def test_r20_the_reversal_of_a_capture_restores_the_very_lots(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    await engine.post(earn(ann, 10))
    captured = await engine.post(capture(await engine.post(hold(ann, 15)), 12))
    assert await taken_of(database, ann) == [(10, 0, 0), (10, 8, 0)]
    undone = await engine.post(reverse(ann, captured.operation_id))
    assert undone.data == {"restored": 12, "expired": 0}
    assert await taken_of(database, ann) == [(10, 10, 0), (10, 10, 0)]


async def test_what_was_never_held_is_not_found(engine: PostingEngine) -> None:
    ann, bob = members(2)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    with pytest.raises(NotFound):
        await engine.post(ReleaseHold(holder_id=bob, hold_id=hold_of(held), **_plain()))
    with pytest.raises(NotFound):
        await engine.post(ReleaseHold(holder_id=ann, hold_id=uuid.uuid4(), **_plain()))
    with pytest.raises(InvalidInput):
        await engine.post(hold(ann, 0))


def _plain() -> dict[str, object]:
    return {"key": key(), "client_id": CLIENT, "as_of": NOON, "occurred_at": NOON}


async def test_a_dry_run_of_a_hold_sets_nothing_aside(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    assert (await engine.post(hold(ann, 15, dry_run=True))).points == 15
    assert await figures(database, ann) == (20, 20, 0)
    assert await rows(database, "SELECT 1 FROM hold") == []


async def test_r14_a_member_who_is_not_active_gets_back_what_was_held(database: Database) -> None:
    class Frozen:
        """The member is frozen after the first posting."""

        shared_lock = None
        status = "ACTIVE"

        async def load(self, connection: object, keys: list[uuid.UUID]) -> dict[uuid.UUID, Standing]:
            return dict.fromkeys(keys, Standing(self.status))

    frozen = Frozen()
    engine = PostingEngine(database, frozen)  # type: ignore[arg-type]
    await engine.start()
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    frozen.status = "FROZEN"
    for debit in (hold(ann, 1), capture(held, 1)):
        with pytest.raises(MemberNotActive):
            await engine.post(debit)
    assert (await engine.post(release(held))).points == 15
    await engine.stop()


async def test_r16_of_20_holds_of_100_on_100_one_succeeds(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(2)]
    for engine in engines:
        await engine.start()
    (ann,) = members(1)
    await engines[0].post(earn(ann, 100))
    answers = await asyncio.gather(*(engines[n % 2].post(hold(ann, 100)) for n in range(20)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["InsufficientPoints"] * 19 + ["Posted"]
    assert await figures(database, ann) == (100, 0, 100)
    for engine in engines:
        await engine.stop()


async def test_r16_holds_against_spending_never_take_a_point_twice(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(3)]
    for engine in engines:
        await engine.start()
    (ann,) = members(1)
    await engines[0].post(earn(ann, 100))
    calls = [hold(ann, 7) if n % 2 else redeem(ann, 7) for n in range(30)]
    answers = await asyncio.gather(*(engines[n % 3].post(call) for n, call in enumerate(calls)), return_exceptions=True)
    done = [answer for answer in answers if isinstance(answer, Posted)]
    held = sum(answer.kind == "HOLD" for answer in done)
    assert len(done) == 14
    assert await figures(database, ann) == (100 - 7 * (14 - held), 2, 7 * held)
    for engine in engines:
        await engine.stop()


async def test_r16_a_capture_against_a_release_one_of_them(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(2)]
    for engine in engines:
        await engine.start()
    crowd = members(15)
    await engines[0].post_many([earn(member, 10) for member in crowd])
    holds = await engines[0].post_many([hold(member, 10) for member in crowd])
    held = [answer for answer in holds if isinstance(answer, Posted)]
    assert len(held) == 15
    ends = [(engines[n % 2], capture(one, 10), engines[1 - n % 2], release(one)) for n, one in enumerate(held)]
    pairs = await asyncio.gather(
        *(
            asyncio.gather(first.post(taking), second.post(giving), return_exceptions=True)
            for first, taking, second, giving in ends
        )
    )
    left = await posted(database, crowd)
    for one, (taken, given) in zip(held, pairs, strict=True):
        outcome = (type(taken).__name__, type(given).__name__, left[one.holder_id, "GRO"])
        assert outcome in (("Posted", "AlreadyCaptured", 0), ("AlreadyReleased", "Posted", 10))
    async with database.session() as session:
        assert (await verify(session)).differences == []
    for engine in engines:
        await engine.stop()


async def test_r16_two_captures_in_one_batch_take_once(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 20))
    held = await engine.post(hold(ann, 15))
    first, second, third = await engine.post_many([capture(held, 5), capture(held, 5), redeem(ann, 15)])
    assert isinstance(first, Posted)
    assert isinstance(second, AlreadyCaptured)
    assert isinstance(third, Posted)
    assert await figures(database, ann) == (0, 0, 0)


async def test_r28_earned_and_held_in_one_batch(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    answers = await engine.post_many([earn(ann, 20), hold(ann, 15), hold(ann, 5), hold(ann, 1)])
    assert [isinstance(answer, Refusal) for answer in answers] == [False, False, False, True]
    assert await taken_of(database, ann) == [(20, 20, 20)]
    assert await figures(database, ann) == (20, 0, 20)
