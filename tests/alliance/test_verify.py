"""The proof covers what merchants owe each other: a changed obligation, net or position is found and named."""

import asyncio

import pytest

from alliance.verify import verify
from domain.ledger.verify import Difference, Proof
from tests.alliance.support import House
from tests.ledger_support import rows

TAMPERINGS = {
    "UPDATE obligation SET points = points * 2, amount = amount * 2": {
        "a spend at a partner is owed for",
        "what partners grant is owed for",
        "pair net is the sum of its obligations",
        "position is what is owed and reserved",
    },
    "UPDATE pair_net SET carried = carried + 1": {"pair net and its remainder are the pair's closing"},
    "UPDATE pair_net SET net = net + 1, carried = carried - 10000": {
        "pair net is rounded half-even",
        "position is the sum of its pair nets",
    },
    "UPDATE net_position SET merchant_id = uuidv7() WHERE amount < 0": {"position is the sum of its pair nets"},
    "UPDATE net_position SET amount = amount - 1 WHERE amount < 0": {
        "position is the sum of its pair nets",
        "positions of a cycle sum to zero",
    },
    "UPDATE pair_net SET opening = opening + 1, carried = carried + 1": {"pair opens with what the cycle before left"},
    "UPDATE payment SET status = 'PAID'": {
        "position is paid and carried by its payments",
        "position is what is owed and reserved",
    },
    "UPDATE settlement_cycle SET status = 'SETTLED' WHERE status = 'NETTED'": {"a settled cycle leaves no position"},
}


async def _proof(house: House) -> Proof:
    async with house.runtime.database.session() as session:
        return await verify(session)


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_a06_tampering_with_what_is_owed_is_found(house: House, tampering: str) -> None:
    member = await house.member()
    await house.earn(member, "fuel", 10_000)
    await house.spend(member, "fuel", 2_000)
    cycle = await house.close()
    for step in ("issue_statements", "confirm_statement", "net_cycle"):
        cycle = await house.step(step, cycle)
    assert (await _proof(house)).differences == []
    connection = await house.runtime.database.connect()
    try:
        table = tampering.split()[1]
        before = await connection.fetch(f"SELECT * FROM {table}")
        await connection.execute(tampering)
        assert {difference.check for difference in (await _proof(house)).differences} == TAMPERINGS[tampering]
        await connection.execute(f"TRUNCATE {table}")
        await connection.copy_records_to_table(table, records=before)
    finally:
        await connection.close()
    assert (await _proof(house)).differences == []


async def test_a07_an_obligation_of_a_new_pair_in_a_stated_cycle_is_found(house: House) -> None:
    """What slips into a cycle after it was summed up has no pair net to differ from."""
    await house.earn(await house.member(), "fuel", 10_000)
    await house.step("issue_statements", await house.close())
    connection = await house.runtime.database.connect()
    try:
        before = await connection.fetch("SELECT * FROM pair_net")
        await connection.execute("TRUNCATE pair_net")
        found = {difference.check for difference in (await _proof(house)).differences}
        assert found == {"pair net is the sum of its obligations"}
        await connection.copy_records_to_table("pair_net", records=before)
    finally:
        await connection.close()


async def test_all_that_differs_is_told_and_the_first_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.ledger.verify.LIMIT", 2)
    members = [await house.member() for _ in range(5)]
    for member in members:
        await house.earn(member, "grocer", 7)
    await rows(house.runtime.database, "UPDATE lot SET remaining = 6")
    told: list[Difference] = []
    steps: list[tuple[str, int, int]] = []
    async with house.runtime.database.session() as session:
        proof = await verify(session, Proof(listener=told.append), lambda *step: steps.append(step))
    assert (proof.found, len(proof.differences), len(told)) == (10, 2, 10)
    assert {one.holder for one in told} == {str(member) for member in members}
    assert proof.to_json()["found"] == 10
    assert steps[0] == ("operations", 5, 5)
    await rows(house.runtime.database, "UPDATE lot SET remaining = 7")


async def test_r26_books_that_are_posted_to_meanwhile_are_proved_as_of_one_instant(house: House) -> None:
    member = await house.member()
    ended = asyncio.Event()

    async def post() -> int:
        count = 0
        while not ended.is_set():
            await house.earn(member, "fuel", 5, of="GRO")
            count += 1
        return count

    posting = asyncio.create_task(post())
    seen = [await _proof(house) for _ in range(3)]
    ended.set()
    assert await posting
    assert [proof.differences for proof in seen] == [[], [], []]
    assert seen[0].operations <= seen[1].operations <= seen[2].operations
