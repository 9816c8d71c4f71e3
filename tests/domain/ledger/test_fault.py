"""Where the merchant was at fault, restored points live some days more at least (R20)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.database import Database
from domain.errors import InvalidInput
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import AlreadyReversed
from domain.ledger.returns import Asked
from tests.ledger_support import CLIENT, ISSUERS, NOON, earn, members, posted, redeem, reverse, rows

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
