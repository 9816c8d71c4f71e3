"""The proof of the books computes again what is owed, and names what differs (R26)."""

import uuid
from dataclasses import replace
from fractions import Fraction

import pytest
from sqlalchemy import text

from alliance.agreements.book import Fee
from alliance.verify import verify
from tests.alliance.clearing.test_funding import expire, funded
from tests.alliance.support import House


async def found(house: House) -> set[str]:
    """The checks that say no."""
    async with house.runtime.database.session() as session:
        return {one.check for one in (await verify(session)).differences}


@pytest.fixture
async def life(house: House) -> uuid.UUID:
    """A member whose points were granted, spent, exchanged and ended; half of what fuel grants it pays at once."""
    house.agree(funded(house, "split", breakage_to="issuer"))
    member = await house.member()
    await house.earn(member, "fuel", 1_000)
    await house.spend(member, "fuel", 300)
    await house.use(member, await house.quote(member, points_out=200))
    await expire(house, member)
    await house.keep_agreed()
    return member


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("SPEND", "a spend at a partner is owed for"),
        ("EXCHANGE", "an exchange is owed for"),
        ("EARN", "what partners grant is owed for"),
        ("FUNDING", "what is paid when points are used or end is owed for"),
        ("BREAKAGE", "what is paid when points are used or end is owed for"),
    ],
)
async def test_r26_what_is_owed_follows_from_its_operation(house: House, kind: str, check: str) -> None:
    assert await found(house) == set()
    for damage, repair in (
        ("points = points + 1, amount = amount + price / 100", "points = points - 1, amount = amount - price / 100"),
        ("kind = 'LOST' || kind", "kind = substr(kind, 5)"),
    ):
        await change(house, f"UPDATE obligation SET {damage} WHERE kind = '{kind}'")
        assert check in await found(house)
        await change(house, f"UPDATE obligation SET {repair} WHERE kind IN ('{kind}', 'LOST{kind}')")
    assert await found(house) == set()


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("kind", ["SPEND", "EXCHANGE", "EARN", "FUNDING", "BREAKAGE"])
async def test_r26_a_price_is_its_agreements(house: House, kind: str) -> None:
    await change(house, f"UPDATE obligation SET price = price + 100, amount = amount + points WHERE kind = '{kind}'")
    assert "a price is its agreement's" in await found(house)
    await change(house, f"UPDATE obligation SET price = price - 100, amount = amount - points WHERE kind = '{kind}'")
    assert await found(house) == set()


async def test_r26_a02_an_obligation_names_a_version_that_counted(house: House) -> None:
    """It is there, between these two, had begun, and was not merely proposed."""
    member = await house.member()
    await house.earn(member, "grocer", 100)
    await house.spend(member, "fuel", 10)
    pair = "(SELECT id FROM agreement)"
    terms = f"(SELECT terms FROM agreement_version WHERE agreement_id = {pair} AND version = 1)"
    for number, starts in ((7, "2017-06-02"), (8, "2017-01-01")):
        await change(
            house,
            f"""INSERT INTO agreement_version (agreement_id, version, valid_from, status, terms)
                VALUES ({pair}, {number}, '{starts}', 'PROPOSED', {terms})""",
        )
    await change(
        house,
        f"""INSERT INTO agreement_step (agreement_id, version, seq, kind, party, who, why, as_of)
            VALUES ({pair}, 8, 1, 'PROPOSED', '{house.id("fuel")}', '{house.id("fuel")}', '', now())""",
    )
    assert await found(house) == set()
    fuel, operator = house.id("fuel"), house.id("operator")
    for damage, repair in (
        ("agreement_version = 6", "agreement_version = 1"),
        ("agreement_version = 7", "agreement_version = 1"),
        ("agreement_version = 8", "agreement_version = 1"),
        (f"creditor_id = '{operator}'", f"creditor_id = '{fuel}'"),
    ):
        await change(house, f"UPDATE obligation SET {damage}")
        assert "an obligation names a version that counted" in await found(house), damage
        await change(house, f"UPDATE obligation SET {repair}")
    assert await found(house) == set()
    await change(house, "DELETE FROM agreement_version WHERE version > 1")
    await change(house, "DELETE FROM agreement_step WHERE version > 1")


async def test_r26_fees_are_by_the_terms_of_their_agreement(house: House) -> None:
    share = Fee(frozenset({"earn", "redeem"}), Fraction("0.0125"), 0, "issuer")
    house.agree(replace(house.version(), fees=(share, Fee(frozenset({"redeem"}), Fraction(0), 50_000, "partner"))))
    member = await house.member()
    await house.earn(member, "fuel", 1_001)  # 9.009 x 0.0125 = 0.1126125, half-even to the millionth
    await house.spend(member, "fuel", 600)
    await house.keep_agreed()
    assert await found(house) == set()
    check = "fees are by the terms of their agreement"
    for damage, repair in (
        ("amount = amount + 1", "amount = amount - 1"),
        ("kind = 'LOST'", "kind = 'FEE'"),
    ):
        await change(house, f"UPDATE obligation SET {damage} WHERE kind = 'FEE'")
        assert check in await found(house), damage
        await change(house, f"UPDATE obligation SET {repair} WHERE kind IN ('FEE', 'LOST')")
    assert await found(house) == set()


async def change(house: House, damage: str) -> None:
    async with house.runtime.database.transaction() as session:
        await session.execute(text(damage))
