"""Whatever the proof of the books finds of a member is put right, or it is said why it cannot be (R26)."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from alliance.proofs.repair import Repaired, put_right
from alliance.verify import BY_HOLDER
from domain.database import Database
from domain.ledger.checks import CHECKS, TAKEN
from domain.ledger.engine import PostingEngine
from domain.ledger.grants import Ending, Part
from domain.ledger.repair import CannotRepair
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.ledger.verify import examine
from tests.ledger_support import (
    NOON,
    activate,
    capture,
    earn,
    exit_,
    give,
    grant,
    hold,
    members,
    redeem,
    refund,
    reverse,
    top_up,
    waiting,
)

# What is changed, and what is booked for it: points, points that wait, to lots; None where only sums are set.
MENDED: dict[str, tuple[dict[str, int], dict[str, int], int] | None] = {
    "UPDATE account SET posted = posted + 1 WHERE kind = 'POINTS'": None,
    "UPDATE account SET held = held - 1 WHERE held > 0": None,
    "UPDATE lot SET held = held - 1 WHERE held > 0": None,
    "UPDATE account SET debt = debt + 1, posted = posted - 1 WHERE currency = 'GRO' AND kind = 'POINTS'": None,
    "UPDATE hold SET status = 'RELEASED', ended_at = now(), ended_as_of = now() WHERE status = 'OPEN'": None,
    "UPDATE hold SET captured = captured + 1 WHERE status = 'CAPTURED'": ({}, {}, 0),
    "UPDATE hold_allocation SET amount = amount + 1 FROM hold WHERE hold.id = hold_id AND status = 'OPEN'": ({}, {}, 0),
    "DELETE FROM hold_allocation USING hold WHERE hold.id = hold_id AND status = 'OPEN'": ({}, {}, 0),
    "UPDATE hold SET points = points + 2 WHERE status = 'OPEN'": ({}, {}, 0),
    "UPDATE operation_return SET undone = undone + 500": ({}, {}, 0),
    "UPDATE operation_return SET whole = true": ({}, {}, 0),
    "UPDATE operation_return SET returned = returned || '{\"beside\": {\"FUE\": [9, 4]}}'": ({}, {}, 0),
    """INSERT INTO order_tender SELECT holder_id, id, id, 'USD', 5 FROM operation
       WHERE kind = 'EARN' ORDER BY id LIMIT 1""": ({}, {}, 0),
    "UPDATE pending_grant SET remaining = remaining - 1 WHERE NOT done": None,
    "UPDATE pending_grant SET granted = granted + 1 WHERE NOT done": ({}, {}, 0),
    "UPDATE account SET posted = posted + 3 WHERE kind = 'PENDING'": None,
    "UPDATE entry SET amount = amount + 2 WHERE account = 'PENDING' AND amount > 0": ({}, {"GRO": -2}, 0),
    "UPDATE pending_grant SET activated_by = NULL": ({}, {"GRO": 0}, 0),
    "UPDATE top_up SET paid = paid + 1": ({}, {}, 0),
    "UPDATE top_up SET bonus = bonus + 1": ({}, {}, 0),
    "DELETE FROM top_up": ({}, {}, 0),
    "UPDATE lot SET granted = granted + 1 WHERE currency = 'VAL' AND expires_at IS NULL": ({}, {}, -3),
    "UPDATE entry SET amount = amount - 1 WHERE amount < 0 AND counter_account = 'DEPOSIT'": ({"VAL": 1}, {}, 0),
    "UPDATE allocation SET amount = amount - 1 WHERE amount = -9": ({}, {}, 1),
    "UPDATE forced_exit SET points = points + 1": ({}, {}, 0),
    "UPDATE forced_exit SET change = change + 1": ({}, {}, 0),
    """INSERT INTO extension SELECT holder_id, id, 'GRO', 1, now(), now() + '1 day', 'x' FROM operation
       WHERE kind = 'EXIT'""": ({}, {}, 0),
    "UPDATE sliding_expiry SET expires_at = expires_at - interval '1 day'": None,
    "UPDATE sliding_expiry SET expires_at = expires_at + interval '1 day'": None,
    "DELETE FROM sliding_expiry": None,
    """UPDATE entry SET amount = amount - 1
       WHERE counter_account = 'POINTS' AND amount = -8""": ({"GRO": 1}, {"GRO": 1}, 0),
    "UPDATE entry SET counter_holder_id = holder_id WHERE counter_account = 'POINTS' AND amount = -8": ({}, {}, 0),
    "UPDATE lot SET source_lot_id = id WHERE granted = 8 AND source_lot_id IS NOT NULL": ({}, {}, 0),
    "DELETE FROM operation WHERE kind = 'GIFT'": ({}, {}, 0),
}  # fmt: skip

HOPELESS = {
    "DELETE FROM lot WHERE remaining < granted AND currency = 'VAL'": "the lot is gone that points were taken of",
    "DELETE FROM pending_grant WHERE NOT done": "nothing says until when these points wait",
    "DELETE FROM sliding_expiry; DELETE FROM sliding_move": "nothing says when these points end",
}


@asynccontextmanager
async def _books(database: Database) -> AsyncIterator[tuple[asyncpg.Connection, uuid.UUID]]:
    """A member who did one of everything, and a transaction in which to spoil it."""
    engine = PostingEngine(database)
    await engine.start()
    ann, bob = members(2)
    ends = Ending(NOON + timedelta(days=30), "30 days")
    granted, _, first, _ = await engine.post_many([earn(ann, 100), redeem(ann, 30), hold(ann, 15), hold(ann, 9)])
    assert isinstance(first, Posted)
    assert isinstance(granted, Posted)
    await engine.post(capture(first, 13))
    await engine.post(reverse(ann, granted.operation_id, asked=Asked(points=30)))
    late = await engine.post(grant(ann, Part(60, ends), waiting(8, 1), waiting(7, 2)))
    await engine.post(activate(ann, late.operation_id, NOON + timedelta(days=1)))
    await engine.post_many([top_up(ann, 50, 5), refund(ann, 9), give(ann, bob, 8)])
    assert (await engine.post(exit_(ann))).points
    await engine.stop()
    connection = await database.connect()
    try:
        yield connection, ann
    finally:
        await connection.close()


async def _put_right(connection: asyncpg.Connection, holder_id: uuid.UUID) -> Repaired:
    return await put_right(connection, holder_id, who="bob", why="somebody was here", as_of=NOON)


async def test_r26_whatever_differs_is_put_right(database: Database) -> None:
    seen = set()
    async with _books(database) as (connection, ann):
        for tampering, expected in MENDED.items():
            transaction = connection.transaction()
            await transaction.start()
            assert (await _put_right(connection, ann)).found == []
            await connection.execute(tampering)
            repaired = await _put_right(connection, ann)
            assert repaired.found, tampering
            seen |= {one.check for one in repaired.found}
            if expected is None:
                assert repaired.booked == [], tampering
            else:
                points, pending, lots = expected
                booked = [one for one in repaired.booked if one["onBehalfOf"] is not None]
                assert {c: n for one in booked for c, n in one["entries"].items()} == points, tampering
                assert sum(sum(one["allocations"].values()) for one in booked) == lots, tampering
                waits = [one.get("pending", {}) for one in repaired.booked]
                assert {c: sum(one.get(c, 0) for one in waits) for one in waits for c in one} == pending, tampering
            assert await examine(connection, [ann], BY_HOLDER) == [], tampering
            assert (await _put_right(connection, ann)).found == [], tampering
            await transaction.rollback()
    assert seen >= TAKEN
    assert seen >= set(CHECKS) - {"lot is what was granted less what was taken"}


async def test_r26_what_no_booking_mends_is_said_with_its_reason(database: Database) -> None:
    async with _books(database) as (connection, ann):
        for tampering, why in HOPELESS.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(tampering)
            with pytest.raises(CannotRepair, match=why):
                raise AssertionError(f"{tampering}: {await _put_right(connection, ann)}")
            await transaction.rollback()


async def test_r14_a_hold_that_does_not_fit_its_lots_is_released(database: Database) -> None:
    async with _books(database) as (connection, ann), connection.transaction():
        [held] = await connection.fetch("SELECT id FROM hold WHERE status = 'OPEN'")
        await connection.execute("UPDATE hold_allocation SET amount = 4 WHERE hold_id = $1", held["id"])
        repaired = await _put_right(connection, ann)
        assert repaired.released == [held["id"]]
        kept = "SELECT (SELECT sum(held) FROM lot), (SELECT sum(held) FROM account), status FROM hold WHERE id = $1"
        assert tuple(await connection.fetchrow(kept, held["id"])) == (0, 0, "RELEASED")
