"""The proof finds what was tampered with, and names it (R25, R26)."""

import pytest

from domain.database import Database
from domain.ledger.engine import PostingEngine
from domain.ledger.verify import CHECKS, Proof, verify
from tests.ledger_support import NOON, earn, exchange, expire, members, redeem, reverse


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
    await engine.post(expire(ann))
    proof = await _proof(database)
    assert proof.to_json() == {"balanced": True, "accounts": 2, "operations": 7, "differences": []}


TAMPERINGS = {
    "UPDATE account SET posted = posted + 1 WHERE currency = 'GRO'": {
        "account is the sum of its entries",
        "account is the sum of its lots",
        "all accounts of a currency sum to zero",
    },
    "DELETE FROM account WHERE currency = 'GRO'": {
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
        "account is the sum of its lots",
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "UPDATE allocation SET amount = amount - 1": {
        "lot is what was granted less what was taken",
        "operation moves lots by what it moves accounts",
    },
    "UPDATE entry SET amount = amount + 1 WHERE amount > 0": {
        "account is the sum of its entries",
        "operation moves lots by what it moves accounts",
        "all accounts of a currency sum to zero",
    },
    "DELETE FROM operation": {"entry belongs to an operation"},
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_r25_r26_tampering_is_found_and_named(database: Database, tampering: str) -> None:
    engine = PostingEngine(database)
    await engine.start()
    ann, bob = members(2)
    await engine.post_many([earn(ann, 100), redeem(ann, 30), earn(bob, 5)])
    await engine.stop()
    connection = await database.connect()
    await connection.execute(tampering)
    await connection.close()
    proof = await _proof(database)
    assert {difference.check for difference in proof.differences} == TAMPERINGS[tampering]
    named = {difference.holder for difference in proof.differences}
    assert str(ann) in named
    assert not proof.balanced


def test_every_check_finds_something() -> None:
    assert set().union(*TAMPERINGS.values()) == set(CHECKS)
