"""Where the merchant was at fault, restored points live some days more at least (R20)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.database import Database
from domain.errors import InvalidInput
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import AlreadyReversed
from domain.ledger.request import Request
from domain.ledger.returns import Asked
from domain.ledger.verify import verify
from tests.ledger_support import (
    CLIENT,
    ISSUERS,
    NOON,
    capture,
    earn,
    exchange,
    exit_,
    give,
    hold,
    members,
    posted,
    redeem,
    reverse,
    reverse_exit,
    rows,
    take_back,
    top_up,
)

DAY = timedelta(days=1)
FAULT: dict[str, Any] = {"grace": lambda currency: NOON + 30 * DAY}


async def lots(database: Database) -> list[tuple[int, int, datetime | None]]:
    """Granted, remaining and end of every lot."""
    found = await rows(database, "SELECT granted, remaining, expires_at FROM lot ORDER BY id")
    return [(row["granted"], row["remaining"], row["expires_at"]) for row in found]


async def test_r20_restored_points_live_thirty_days_more_at_least(engine: PostingEngine, database: Database) -> None:
    """A lot that ended tomorrow comes back as one that ends in 30 days; one that ends later as it was."""
    (ann,) = members(1)
    await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    await engine.post(earn(ann, 20, expires_at=NOON + 90 * DAY))
    await engine.post(earn(ann, 30))
    spent = await engine.post(redeem(ann, 60))
    back = await engine.post(reverse(ann, spent.operation_id, **FAULT))
    assert back.data == {"restored": 60, "expired": 0}
    kept = [(10, 0, NOON + DAY), (20, 20, NOON + 90 * DAY), (30, 30, None), (10, 10, NOON + 30 * DAY)]
    assert await lots(database) == kept
    [source] = await rows(database, "SELECT source_lot_id FROM lot WHERE source_lot_id IS NOT NULL")
    [first] = await rows(database, "SELECT id FROM lot ORDER BY id LIMIT 1")
    assert source[0] == first[0]
    [said] = await rows(database, "SELECT returned FROM operation_return")
    assert said["returned"]["fault"] == {"merchant": str(ISSUERS["GRO"]), "by": str(CLIENT)}


async def test_r20_what_would_come_back_dead_lives(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 10, expires_at=NOON))
    before = NOON - DAY
    spent = await engine.post(redeem(ann, 10, as_of=before))
    back = await engine.post(reverse(ann, spent.operation_id, **FAULT))
    assert back.data == {"restored": 10, "expired": 0}
    assert (await engine.post(redeem(ann, 10))).points == 10


async def test_r20_r22_in_parts_no_point_comes_back_twice(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    await engine.post(earn(ann, 10, expires_at=NOON + 2 * DAY))
    spent = await engine.post(redeem(ann, 20))
    for points, fault in ((5, FAULT), (8, {}), (4, FAULT)):
        await engine.post(reverse(ann, spent.operation_id, asked=Asked(points=points), **fault))
    await engine.post_many([reverse(ann, spent.operation_id, asked=Asked(points=1), **FAULT) for _ in range(2)])
    assert (await engine.post(reverse(ann, spent.operation_id, **FAULT))).points == 1
    with pytest.raises(AlreadyReversed):
        await engine.post(reverse(ann, spent.operation_id, **FAULT))
    assert await posted(database, [ann]) == {(ann, "GRO"): 20}
    assert [remaining for _, remaining, _ in await lots(database)] == [3, 5, 5, 4, 1, 1, 1]


async def test_r20_r17_a_debt_is_paid_first_and_r21_a_clawback(engine: PostingEngine, database: Database) -> None:
    (ann, bob) = members(2)
    endless: dict[str, Any] = {"clawback": {ISSUERS["GRO"]: "unlimited"}, "floors": {"GRO": None}}
    for member, terms in ((ann, endless), (bob, {})):
        granted = await engine.post(earn(member, 40, expires_at=NOON + DAY))
        await engine.post(earn(member, 60, expires_at=NOON + 2 * DAY))
        spent = await engine.post(redeem(member, 100))
        await engine.post(reverse(member, granted.operation_id, **terms))
        await engine.post(reverse(member, spent.operation_id, **FAULT))
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 60, (bob, "GRO"): 60}


async def test_r20_what_was_earned_has_no_grace(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 10))
    with pytest.raises(InvalidInput):
        await engine.post(reverse(ann, granted.operation_id, **FAULT))


async def _bonus_spent(engine: PostingEngine, ann: uuid.UUID, bob: uuid.UUID) -> Request:
    await engine.post(top_up(ann, 50, 10, bonus_expires_at=NOON + DAY))
    spent = await engine.post(redeem(ann, 30, "VAL"))
    return reverse(ann, spent.operation_id, **FAULT)


async def _captured(engine: PostingEngine, ann: uuid.UUID, bob: uuid.UUID) -> Request:
    held = await engine.post(hold(ann, 10))
    return reverse(ann, (await engine.post(capture(held, 10))).operation_id, **FAULT)


async def _exchanged(engine: PostingEngine, ann: uuid.UUID, bob: uuid.UUID) -> Request:
    return reverse(ann, (await engine.post(exchange(ann, 10, 8))).operation_id, **FAULT)


async def _given(engine: PostingEngine, ann: uuid.UUID, bob: uuid.UUID) -> Request:
    return take_back(ann, bob, (await engine.post(give(ann, bob, 10))).operation_id, **FAULT)


async def _sold(engine: PostingEngine, ann: uuid.UUID, bob: uuid.UUID) -> Request:
    return reverse_exit(ann, (await engine.post(exit_(ann))).operation_id, **FAULT)


@pytest.mark.parametrize("how", [_bonus_spent, _captured, _exchanged, _given, _sold])
async def test_r20_wherever_a_reversal_puts_points_back(engine: PostingEngine, database: Database, how: Any) -> None:
    """Ten points, or a bonus of ten, that ended tomorrow come back as ones that end in 30 days, and it is kept why."""
    ann, bob = members(2)
    if how is not _bonus_spent:
        await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    back = await engine.post(await how(engine, ann, bob))
    assert back.data["expired"] == 0
    currency = "VAL" if how is _bonus_spent else "GRO"
    found = await rows(database, "SELECT remaining, expires_at FROM lot WHERE remaining > 0 AND NOT expires_at IS NULL")
    assert [tuple(row) for row in found] == [(10, NOON + 30 * DAY)]
    assert (await posted(database, [ann]))[ann, currency] == (60 if how is _bonus_spent else 10)
    [said] = await rows(database, "SELECT returned, whole FROM operation_return")
    assert (said["returned"]["fault"]["by"], said["whole"]) == (str(CLIENT), True)
    with pytest.raises(AlreadyReversed):
        await engine.post(await _again(database, ann, bob, how))
    async with database.session() as session:
        assert (await verify(session)).differences == []


async def _again(database: Database, ann: uuid.UUID, bob: uuid.UUID, how: Any) -> Request:
    [first] = await rows(database, "SELECT reverses FROM operation WHERE reverses IS NOT NULL")
    if how is _given:
        return take_back(ann, bob, first["reverses"])
    return reverse_exit(ann, first["reverses"]) if how is _sold else reverse(ann, first["reverses"])


async def test_r20_r21_what_comes_back_at_fault_is_still_asked_for_by_a_clawback(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 10, expires_at=NOON + DAY))
    gone = await engine.post(exchange(ann, 10, 8))
    assert (await engine.post(reverse(ann, granted.operation_id))).data["shortfall"] == 10
    assert (await engine.post(reverse(ann, gone.operation_id, **FAULT))).points == 10
    assert (await posted(database, [ann])) == {(ann, "GRO"): 0, (ann, "FUE"): 0}
