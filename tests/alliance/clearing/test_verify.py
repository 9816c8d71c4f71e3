"""The proof of the books computes again what is owed, and names what differs (R26)."""

import uuid

import pytest
from sqlalchemy import text

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


async def change(house: House, damage: str) -> None:
    async with house.runtime.database.transaction() as session:
        await session.execute(text(damage))
