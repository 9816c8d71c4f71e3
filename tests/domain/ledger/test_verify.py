"""The proof finds what was tampered with, and names it (R25, R26)."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from domain.database import Database
from domain.ledger.checks import CHECKS, TOTALS
from domain.ledger.commands import Grant
from domain.ledger.engine import PostingEngine
from domain.ledger.grants import Ending, Part
from domain.ledger.merge_checks import CHECKS as MERGE_CHECKS
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.ledger.verify import Proof, verify
from tests.alliance.notices.test_notices import CHECKED as NOTICES
from tests.domain.ledger.test_exits import CHECKED as EXITS
from tests.domain.ledger.test_stored_value import CHECKED as STORED_VALUE
from tests.ledger_support import (
    ISSUERS,
    NOON,
    activate,
    adjust,
    capture,
    earn,
    exchange,
    expire,
    give,
    grant,
    hold,
    members,
    merge,
    redeem,
    reinstate,
    reverse,
    rows,
    take_back,
    waiting,
)


async def _proof(database: Database) -> Proof:
    async with database.session() as session:
        return await verify(session)


async def test_books_after_every_kind_of_operation_are_proved(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 500, expires_at=NOON.replace(year=2027)))
    await engine.post(exchange(ann, 100, 80))
    spent = await engine.post(redeem(ann, 50))
    await engine.post(reverse(ann, spent.operation_id))
    await engine.post(reverse(ann, granted.operation_id))
    await engine.post(earn(ann, 7, expires_at=NOON))
    gone = await engine.post(expire(ann))
    await engine.post(reinstate(ann, gone.operation_id))
    (bob,) = members(1)
    given = await engine.post(give(ann, bob, 7))
    await engine.post(take_back(ann, bob, given.operation_id))
    await engine.post(adjust(bob, 5))
    await engine.post(adjust(bob, -4))
    proof = await _proof(database)
    assert proof.to_json() == {"balanced": True, "accounts": 3, "operations": 12, "differences": []}


OWED = "what an account owes is its debts less their payments"
MOVED = "operation moves lots by what it moves accounts"
RETURNS = "returns undo no more than was done, and all of it when nothing is left"
TAMPERINGS = {
    """INSERT INTO order_tender (holder_id, operation_id, order_id, money, amount)
       SELECT holder_id, id, id, 'USD', 5 FROM operation WHERE kind = 'EARN'""": {
        "what paid for an order is a redemption at its merchant"
    },
    "UPDATE account SET posted = posted + 1 WHERE currency = 'GRO'": {
        "account is the sum of its entries",
        "account is the sum of its lots",
        "all accounts of a currency sum to zero",
    },
    "DELETE FROM account WHERE currency = 'GRO'": {
        "what an account has set aside is what open holds have",
        "account is the sum of its entries",
        "account is the sum of its lots",
        "all accounts of a currency sum to zero",
    },
    "UPDATE lot SET remaining = remaining - 1": {
        "account is the sum of its lots",
        "lot is what was granted less what was taken",
    },
    "UPDATE lot SET granted = granted + 1": {
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "DELETE FROM lot": {
        "what a lot has set aside is what open holds have",
        "account is the sum of its lots",
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "UPDATE allocation SET amount = amount - 1": {
        "capture takes what it says, out of what was held",
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "UPDATE entry SET amount = amount + 1 WHERE amount > 0": {
        "account is the sum of its entries",
        "operation moves lots by what it moves accounts",
        "all accounts of a currency sum to zero",
    },
    "DELETE FROM operation": {"entry belongs to an operation"},
    "UPDATE lot SET held = held - 1 WHERE held > 0": {"what a lot has set aside is what open holds have"},
    "UPDATE account SET held = held - 1 WHERE held > 0": {"what an account has set aside is what open holds have"},
    "UPDATE hold SET status = 'RELEASED', ended_at = now(), ended_as_of = now() WHERE status = 'OPEN'": {
        "what a lot has set aside is what open holds have",
        "what an account has set aside is what open holds have",
    },
    "UPDATE hold_allocation SET amount = amount + 1": {
        "what a lot has set aside is what open holds have",
        "hold is what was allocated to it",
    },
    "UPDATE hold SET captured = captured + 1 WHERE status = 'CAPTURED'": {
        "capture takes what it says, out of what was held"
    },
    "UPDATE account SET debt = debt + 1 WHERE debt > 0": {OWED, "account is the sum of its lots"},
    "UPDATE debt SET points = points + 1": {OWED, MOVED},
    "UPDATE debt_payment SET points = points - 1": {OWED, MOVED},
    "UPDATE operation_return SET undone = undone + 71": {RETURNS},
    "UPDATE operation_return SET whole = true": {RETURNS},
    "UPDATE operation_return SET due = due + 1": {RETURNS},
    "INSERT INTO order_tender SELECT holder_id, id, id, 'USD', 1 FROM operation WHERE kind = 'EARN' LIMIT 1": {
        "what paid for an order is a redemption at its merchant"
    },
}


async def _indebted(engine: PostingEngine, member: uuid.UUID) -> None:
    """5 points of another currency are owed."""
    granted, _ = await engine.post_many([earn(member, 7, "FUE"), redeem(member, 7, "FUE")])
    assert isinstance(granted, Posted)
    endless: dict[str, Any] = {"clawback": {ISSUERS["FUE"]: "unlimited"}, "floors": {"FUE": None}}
    await engine.post(reverse(member, granted.operation_id, **endless))
    await engine.post(earn(member, 2, "FUE"))


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_r25_r26_tampering_is_found_and_named(database: Database, tampering: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    ann, bob = members(2)
    granted, _, first, _, _ = await engine.post_many(
        [earn(ann, 100), redeem(ann, 30), hold(ann, 15), hold(ann, 9), earn(bob, 5)]
    )
    assert isinstance(first, Posted)
    await engine.post(capture(first, 13))
    assert isinstance(granted, Posted)
    await engine.post(reverse(ann, granted.operation_id, asked=Asked(points=30)))
    if "debt" in tampering:
        await _indebted(engine, ann)
    await engine.stop()
    connection = await database.connect()
    await connection.execute(tampering)
    await connection.close()
    proof = await _proof(database)
    assert {difference.check for difference in proof.differences} == TAMPERINGS[tampering]
    named = {difference.holder for difference in proof.differences}
    assert str(ann) in named
    assert not proof.balanced


GIFT_TAMPERINGS = {
    "INSERT INTO order_tender SELECT holder_id, id, id, 'USD', 1 FROM operation WHERE kind = 'EARN'": {
        "what paid for an order is a redemption at its merchant",
    },
    "UPDATE entry SET amount = 9 WHERE amount = 8 AND counter_account = 'POINTS'": {
        "account is the sum of its entries",
        "operation moves lots by what it moves accounts",
        "opposite entries agree",
    },
    "UPDATE entry SET counter_holder_id = holder_id WHERE amount = -8": {"opposite entries agree"},
    "UPDATE lot SET source_lot_id = id WHERE granted = 8": {"lot is what its source gave"},
    "DELETE FROM operation WHERE kind = 'GIFT'": {"entry belongs to an operation"},
}


@pytest.mark.parametrize("tampering", GIFT_TAMPERINGS)
async def test_r26_a_gift_that_was_tampered_with_is_found_and_named(database: Database, tampering: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    ann, bob = members(2)
    await engine.post_many([earn(ann, 100), give(ann, bob, 8)])
    await engine.stop()
    connection = await database.connect()
    await connection.execute(tampering)
    await connection.close()
    found = (await _proof(database)).differences
    assert {difference.check for difference in found} == GIFT_TAMPERINGS[tampering]
    assert {difference.holder for difference in found} & {str(ann), str(bob)}


ACROSS = {
    "DELETE FROM entry WHERE amount < 0": {
        "account is the sum of its entries",
        "operation moves lots by what it moves accounts",
        "opposite entries agree",
    },
    "UPDATE account SET posted = posted + 1": {
        "account is the sum of its entries",
        "account is the sum of its lots",
        "all accounts of a currency sum to zero",
    },
    "UPDATE allocation SET amount = amount + 1": {
        *("lot is what was granted less what was taken", "lot is what its source gave"),
        "operation moves lots by what it moves accounts",
    },
    "DELETE FROM operation WHERE kind = 'GIFT'": {"entry belongs to an operation"},
}


@pytest.mark.parametrize("tampering", ACROSS)
@pytest.mark.parametrize("size", [1, 3])
async def test_r26_whatever_is_read_at_a_time_the_same_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int, tampering: str
) -> None:
    """What lies under two holders is found whichever of them is at hand; sums are of all of them."""
    monkeypatch.setattr("domain.ledger.verify.RANGE", size)
    engine = PostingEngine(database)
    await engine.start()
    ann, bob, cyd, dan = members(4)
    await engine.post_many([earn(ann, 50), earn(cyd, 50), give(ann, dan, 20), give(cyd, bob, 7), give(dan, ann, 5)])
    await engine.stop()
    steps: list[tuple[str, int, int]] = []
    async with database.session() as session:
        proof = await verify(session, progress=lambda *step: steps.append(step))
    assert (proof.differences, proof.operations, proof.accounts) == ([], 5, 4)
    assert len(steps) >= 2
    assert {step for step, _, _ in steps} == {"operations"}
    assert steps[-1][1:] == (5, 5)
    await rows(database, tampering)
    assert {difference.check for difference in (await _proof(database)).differences} == ACROSS[tampering]


BESIDE = "returns undo no more of what was granted beside"


@pytest.mark.parametrize("beside", ["[9, 4]", "[4, 5]"])
async def test_r26_a_return_of_what_was_granted_beside_is_proved(database: Database, beside: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 10, beside=(Grant("FUE", 8),)))
    await engine.post(reverse(ann, granted.operation_id, asked=Asked(points=5)))
    await engine.stop()
    assert (await _proof(database)).differences == []
    connection = await database.connect()
    tampering = "UPDATE operation_return SET returned = jsonb_set(returned, '{beside,FUE}', $1::text::jsonb)"
    await connection.execute(tampering, beside)
    await connection.close()
    [found] = (await _proof(database)).differences
    assert (found.check, found.holder, found.what, found.currency) == (
        BESIDE,
        str(ann),
        str(granted.operation_id),
        "FUE",
    )


TAMPERINGS_OF_GRANTS = {
    "UPDATE pending_grant SET remaining = remaining - 1 WHERE NOT done": {
        "pending account is the sum of its grants",
        "pending grants keep what neither activation nor reversal took",
    },
    "UPDATE pending_grant SET granted = granted + 1": {"pending grants are what their earn booked"},
    "UPDATE pending_grant SET activated_by = NULL": {"pending grants keep what neither activation nor reversal took"},
    "UPDATE sliding_expiry SET expires_at = expires_at - interval '1 day'": {
        "a lot that slides has a date of its wallet, not before its own",
        "a date that slides is where it was last moved",
    },
}


@pytest.mark.parametrize("tampering", TAMPERINGS_OF_GRANTS)
async def test_r26_tampering_with_what_waits_or_slides_is_found(database: Database, tampering: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    (ann,) = members(1)
    earned = await engine.post(grant(ann, Part(9, Ending(NOON, "10 days")), waiting(8, 1), waiting(7, 2)))
    await engine.post(activate(ann, earned.operation_id, NOON + timedelta(days=1)))
    await engine.stop()
    assert (await _proof(database)).differences == []
    connection = await database.connect()
    await connection.execute(tampering)
    await connection.close()
    found = (await _proof(database)).differences
    assert {difference.check for difference in found} == TAMPERINGS_OF_GRANTS[tampering]
    assert {difference.holder for difference in found} == {str(ann)}


MERGE_TAMPERINGS = {
    "UPDATE lot SET price = price + 1 WHERE root_lot_id IS NOT NULL": {"a merge carries lots as they are"},
    "UPDATE debt SET source_operation_id = holder_id WHERE source_operation_id IS NOT NULL": {
        "a debt that a merge moved is of a reversal",
    },
    "UPDATE member_alias SET survivor_id = into_id": {"who was merged leads to whom they are now"},
    "UPDATE lot SET expires_at = NULL WHERE expires_at IS NOT NULL": {"nothing of who was merged is alive"},
}


async def test_r26_a_merge_that_was_tampered_with_is_found_and_named(database: Database) -> None:
    """Ann, who owes and has what expired, became Bob, who became Cat."""
    engine = PostingEngine(database)
    await engine.start()
    ann, bob, cat = members(3)
    sold = await engine.post(earn(ann, 5))
    day = timedelta(days=1)
    await engine.post_many([redeem(ann, 5), earn(ann, 7, expires_at=NOON + day), earn(ann, 9, as_of=NOON + day)])
    endless = {"clawback": dict.fromkeys(ISSUERS.values(), "unlimited"), "floors": {"GRO": None}, "as_of": NOON + day}
    await engine.post(redeem(ann, 9, as_of=NOON + day))
    await engine.post(reverse(ann, sold.operation_id, **endless))
    await engine.post_many([merge(ann, bob, as_of=NOON + day), earn(bob, 8, "FUE"), merge(bob, cat, as_of=NOON + day)])
    await engine.stop()
    assert (await _proof(database)).differences == []
    connection = await database.connect()
    found: set[str] = set()
    for tampering, named in MERGE_TAMPERINGS.items():
        await connection.execute(tampering)
        found |= named
        assert {difference.check for difference in (await _proof(database)).differences} == found
    await connection.close()


def test_every_check_finds_something() -> None:
    tamperings = TAMPERINGS | GIFT_TAMPERINGS | TAMPERINGS_OF_GRANTS | MERGE_TAMPERINGS
    assert set().union(*tamperings.values(), {BESIDE}, STORED_VALUE, EXITS, NOTICES) == {
        *CHECKS,
        *TOTALS,
        *MERGE_CHECKS,
    }
