"""What was changed behind the ledger's back is found, stopped and put right by booked operations (R26)."""

import uuid
from typing import Any

import pytest

from alliance.proofs.repair import put_right
from alliance.verify import verify
from domain.database import Database
from domain.ledger.errors import HolderStopped
from domain.ledger.stops import stop
from domain.ledger.verify import Proof
from tests.alliance.proofs.test_sealing import sealed
from tests.alliance.support import NOON, House
from tests.ledger_support import rows

ANN = "holder_id = (SELECT id FROM member WHERE number = 'ann')"
SPEND = f"{ANN} AND operation_id = (SELECT id FROM operation WHERE {ANN} AND kind = 'REDEEM')"

# What is changed, and what is booked for it: by currency, to lots in sum; None where nothing has to be moved.
TAMPERINGS: dict[str, tuple[dict[str, int], int] | None] = {
    f"UPDATE entry SET amount = amount + 70 WHERE {ANN} AND amount = 500": ({"GRO": -70}, 0),
    f"UPDATE entry SET amount = -1, balance_after = 0 WHERE {SPEND}": ({"GRO": -99}, 0),
    f"DELETE FROM entry WHERE {SPEND}": ({"GRO": -100}, 0),
    f"UPDATE lot SET remaining = remaining - 7 WHERE {ANN} AND granted = 300": None,
    f"UPDATE lot SET granted = granted + 9 WHERE {ANN} AND granted = 300": ({}, -9),
    f"DELETE FROM allocation WHERE {SPEND}": ({}, -100),
    f"UPDATE allocation SET amount = amount - 3 WHERE {SPEND}": ({}, 3),
    f"UPDATE account SET posted = posted + 1000 WHERE {ANN}": None,
    f"DELETE FROM account WHERE {ANN}": None,
    f"UPDATE operation SET order_ref = 'x' WHERE {ANN} AND kind = 'REDEEM'": ({}, 0),
    f"UPDATE lot SET expires_at = '2099-01-01Z' WHERE {ANN} AND granted = 500": ({}, 0),
    f"DELETE FROM operation WHERE {ANN} AND kind = 'REDEEM'": ({}, 0),
}


async def _proof(database: Database) -> Proof:
    async with database.session() as session:
        return await verify(session)


async def _repaired(database: Database, holder: uuid.UUID) -> list[dict[str, Any]]:
    connection = await database.connect()
    try:
        async with connection.transaction():
            repaired = await put_right(connection, holder, who="bob", why="somebody was here", as_of=NOON)
            return repaired.booked
    finally:
        await connection.close()


async def _stopped(database: Database, proof: Proof) -> int:
    connection = await database.connect()
    try:
        holders = {uuid.UUID(one.holder) for one in proof.differences}
        return await stop(connection, holders, who="bob", why="figures differ", as_of=NOON)
    finally:
        await connection.close()


async def _ann(house: House) -> uuid.UUID:
    """A member with earns, a redemption at a partner, and a hold-free wallet of 700; all in the log."""
    ann = await house.member()
    await rows(house.runtime.database, "UPDATE member SET number = 'ann' WHERE id = $1", ann)
    await house.earn(ann, "grocer", 500)
    await house.earn(ann, "fuel", 300, of="GRO")
    await house.spend(ann, "fuel", 100)
    await house.earn(await house.member(), "grocer", 50)
    await sealed(house.runtime.database)
    return ann


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_r26_what_was_tampered_with_is_stopped_and_put_right(house: House, tampering: str) -> None:
    database = house.runtime.database
    ann = await _ann(house)
    await rows(database, tampering)
    found = await _proof(database)
    assert {one.holder for one in found.differences} - {str(uuid.UUID(int=0))} == {str(ann)}
    assert await _stopped(database, found) == 1
    with pytest.raises(HolderStopped):
        await house.earn(ann, "grocer", 5)

    booked = await _repaired(database, ann)
    expected = TAMPERINGS[tampering]
    if expected is None:
        assert booked == []
    else:
        [one] = booked
        assert one["onBehalfOf"] is not None
        assert (one["entries"], sum(one["allocations"].values())) == expected
    proof = await _proof(database)
    assert proof.differences == []
    assert proof.repaired == (0 if expected is None else 1)
    [[posted]] = await rows(database, "SELECT posted FROM account WHERE holder_id = $1 AND currency = 'GRO'", ann)
    assert posted == 700

    await house.spend(ann, "fuel", 700)
    await sealed(database)
    assert (await _proof(database)).differences == []
    assert await _repaired(database, ann) == [], "nothing is booked twice"


async def test_a_repair_is_in_the_members_history_and_in_suspense(house: House) -> None:
    database = house.runtime.database
    ann = await _ann(house)
    await rows(database, f"UPDATE entry SET amount = amount + 70 WHERE {ANN} AND amount = 500")
    await _repaired(database, ann)
    kept = await rows(
        database,
        """SELECT o.kind, e.amount, e.counter_account, e.counter_holder_id, n.note
           FROM operation o JOIN entry e ON e.holder_id = o.holder_id AND e.operation_id = o.id
           JOIN operation_note n ON n.holder_id = o.holder_id AND n.operation_id = o.id WHERE o.kind = 'REPAIR'""",
    )
    assert [tuple(row) for row in kept] == [("REPAIR", -70, "SUSPENSE", house.id("grocer"), "somebody was here")]


async def test_what_was_repaired_and_is_changed_again_is_found_again(house: House) -> None:
    database = house.runtime.database
    ann = await _ann(house)
    change = "UPDATE operation SET order_ref = $1 WHERE kind = 'REDEEM'"
    await rows(database, change, "x")
    await _repaired(database, ann)
    await sealed(database)
    assert (await _proof(database)).differences == []
    await rows(database, change, "y")
    assert {one.check for one in (await _proof(database)).differences} == {"operation is as it was sealed"}
    await rows(database, change, "x")
    await rows(database, "UPDATE repair SET accepted = sha256('z')")
    assert len((await _proof(database)).differences) == 2, "the operation, and the repair that was to hide it"
    await rows(database, "TRUNCATE repair, log_leaf, log_checkpoint")


async def test_a_repair_that_is_only_tried_changes_nothing(house: House) -> None:
    database = house.runtime.database
    ann = await _ann(house)
    await rows(database, f"UPDATE lot SET remaining = remaining - 7 WHERE {ANN} AND granted = 300")
    connection = await database.connect()
    transaction = connection.transaction()
    await transaction.start()
    await put_right(connection, ann, who="bob", why="", as_of=NOON)
    await transaction.rollback()
    await connection.close()
    assert (await _proof(database)).found
    await _repaired(database, ann)
