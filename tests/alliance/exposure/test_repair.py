"""Positions that somebody changed behind the books are set to what is booked, and it is kept that they were."""

from sqlalchemy import text

from alliance.exposure.repair import PositionRepair, put_right
from alliance.verify import verify
from tests.alliance.exposure.support import cap, limits, stand
from tests.alliance.support import NOON, House


async def differing(house: House) -> set[str]:
    """The checks that find something."""
    async with house.runtime.database.session() as session:
        return {one.check for one in (await verify(session)).differences}


async def repaired(house: House, only: str | None = None) -> list[tuple[str, int, int]]:
    """Put right: whose position, from what was owed to what is."""
    asked = None if only is None else house.id(only)
    async with house.runtime.database.transaction() as session:
        found = await put_right(session, who="an operator", why="a row was changed", as_of=NOON, merchant_id=asked)
        return [(house.code(one.merchant_id), int(one.owed_before), int(one.owed)) for one in found]


async def test_r26_a_position_that_differs_is_set_to_what_is_booked(house: House) -> None:
    await limits(house, grocer=cap("1000.00"), fuel=cap("1000.00"))
    member = await house.member()
    await house.earn(member, "fuel", 1_000)
    await house.spend(member, "fuel", 100)
    assert await repaired(house) == []
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE exposure SET owed = owed + 1, reserved = 5, withheld = 7"))
    assert await differing(house) == {"position is what is owed and reserved"}
    assert await repaired(house, "fuel") == [("fuel", 8_100_001, 8_100_000)]
    assert await stand(house, "fuel") == ("8.100000", "0.000000")
    assert await differing(house) == {"position is what is owed and reserved"}
    assert await repaired(house) == [("grocer", -8_099_999, -8_100_000)]
    assert await differing(house) == set()
    async with house.runtime.database.session() as session:
        kept = await session.get_one(PositionRepair, tuple(await _last(house)))
        assert (kept.who, kept.why, kept.reserved_before, kept.withheld_before) == (
            "an operator",
            "a row was changed",
            5,
            7,
        )


async def _last(house: House) -> tuple[object, object]:
    async with house.runtime.database.session() as session:
        row = await session.execute(text("SELECT merchant_id, id FROM position_repair ORDER BY id DESC LIMIT 1"))
        return tuple(row.one())  # type: ignore[return-value]
