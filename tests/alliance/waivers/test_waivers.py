"""What a creditor gives up: only what it is owed, no more than that, above a limit by two people (A16, A14)."""

import uuid
from dataclasses import replace
from fractions import Fraction

import pytest

from alliance.agreements.book import Fee
from alliance.approvals.commands import About, Done, Waiting, approve
from alliance.verify import verify
from alliance.waivers.commands import WAIVE, WRITE_OFF, waive_or_ask, write_off_or_ask
from domain.errors import InvalidInput, NotFound
from domain.programs.catalogue import ByHand
from tests.alliance.support import NOON, WHO, House
from tests.ledger_support import rows

OTHER = uuid.UUID(int=9)
Place = tuple[uuid.UUID, uuid.UUID, int]


def limits(house: House, **acts: int) -> None:
    """One person gives up so many millionths."""
    catalogue = house.runtime.catalogue
    by_hand = ByHand(limits=acts)
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=by_hand))


async def fee(house: House) -> tuple[Place, int]:
    """A fee of 5 cents that grocer owes the operator for a spend; its place and amount."""
    terms = Fee(frozenset({"redeem"}), Fraction(0), 50_000, "issuer")
    house.agree(replace(house.version(), fees=(terms,)))
    ann = await house.member()
    await house.earn(ann, "grocer", 1000)
    await house.spend(ann, "fuel", 1000)
    [line] = [one for one in await house.obligations() if one.kind == "FEE"]
    return (line.holder_id, line.operation_id, line.seq), line.amount


async def waive(house: House, place: Place, amount: int | None, merchant: str | None = None) -> Done | Waiting:
    """Waive, as the operator or a merchant."""
    about = About(WHO, "goodwill", NOON, house.id(merchant) if merchant else None)
    async with house.runtime.database.transaction() as session:
        return await waive_or_ask(session, house.runtime, place, amount, about)


async def test_a16_a_fee_is_waived_in_the_open_cycle_and_no_more_of_it_than_there_is(house: House) -> None:
    limits(house, WAIVE_FEE=30_000)
    place, amount = await fee(house)
    assert amount == 50_000
    assert isinstance(await waive(house, place, 30_000), Done)
    with pytest.raises(InvalidInput, match="no more than is owed"):
        await waive(house, place, 20_001)
    assert isinstance(await waive(house, place, None), Done), "20,000 are left"
    with pytest.raises(InvalidInput, match="no more than is owed"):
        await waive(house, place, None)
    booked = [line for line in await house.owed() if line[0] == "CORRECTION"]
    assert booked == [
        ("CORRECTION", "grocer", "operator", 0, "-0.030000"),
        ("CORRECTION", "grocer", "operator", 0, "-0.020000"),
    ]
    kept = await rows(house.runtime.database, "SELECT DISTINCT cause, why FROM correction")
    assert [tuple(row) for row in kept] == [("WAIVER", "goodwill")]


async def test_a16_above_the_limit_a_second_person_approves_a_waiver(house: House) -> None:
    place, _ = await fee(house)
    waiting = await waive(house, place, None)
    assert isinstance(waiting, Waiting)
    assert await house.count("correction") == 0
    async with house.runtime.database.transaction() as session:
        await approve(session, house.runtime, waiting.approval_id, About(OTHER, "seen", NOON))
    [row] = await rows(house.runtime.database, "SELECT who, approved_by FROM correction")
    assert (row["who"], row["approved_by"]) == (WHO, OTHER)


async def test_a14_only_its_creditor_waives_a_fee_and_points_are_no_fee(house: House) -> None:
    place, _ = await fee(house)
    with pytest.raises(NotFound):
        await waive(house, place, None, "fuel")
    with pytest.raises(InvalidInput, match="its creditor"):
        await waive(house, place, None, "grocer")
    [spend] = [one for one in await house.obligations() if one.kind == "SPEND"]
    with pytest.raises(InvalidInput, match="only fees and interest"):
        await waive(house, (spend.holder_id, spend.operation_id, spend.seq), None)


async def test_a16_a_creditor_writes_off_no_more_than_is_open(house: House) -> None:
    limits(house, WRITE_OFF_BALANCE=1_000_000)
    ann = await house.member()
    await house.earn(ann, "grocer", 1000)
    await house.spend(ann, "fuel", 1000)

    async def write_off(creditor: str, debtor: str, amount: int) -> Done | Waiting:
        about = About(WHO, "too small to ask for", NOON)
        async with house.runtime.database.transaction() as session:
            parties = house.id(creditor), house.id(debtor)
            return await write_off_or_ask(session, house.runtime, *parties, amount, about)

    assert isinstance(await write_off("fuel", "grocer", 1_000_000), Done)
    assert isinstance(await write_off("fuel", "grocer", 1_000_001), Waiting)
    for creditor, debtor, amount in (("fuel", "grocer", 8_000_001), ("grocer", "fuel", 1), ("fuel", "grocer", 0)):
        with pytest.raises(InvalidInput, match="no more than is owed"):
            await write_off(creditor, debtor, amount)
    assert ("CORRECTION", "grocer", "fuel", 0, "-1.000000") in await house.owed()
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []
    assert {WAIVE, WRITE_OFF} == {"WAIVE_FEE", "WRITE_OFF_BALANCE"}
