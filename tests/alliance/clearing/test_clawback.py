"""Who is credited when a sale comes back and its points are gone (A1): the funder, for what is recovered, as it is."""

import asyncio
import uuid
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from alliance.agreements.book import Fee
from alliance.verify import verify
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from tests.alliance.support import House, days


def clawing(house: House, clawback: str = "unlimited") -> None:
    """Another clawback at the grocer."""
    catalogue = house.runtime.catalogue
    merchant = replace(catalogue.merchants["grocer"], clawback=clawback)
    house.runtime.catalogue = replace(
        catalogue,
        merchants={**catalogue.merchants, "grocer": merchant},
        merchants_by_id={**catalogue.merchants_by_id, merchant.id: merchant},
    )


def bearing(house: House, who: Any, **changes: Any) -> None:
    """Another bearer of the shortfall."""
    version = house.version()
    place = (house.id("fuel"), "GRO")
    house.agree(
        replace(version, earn={**version.earn, place: replace(version.earn[place], shortfall_to=who)}, **changes)
    )


def credit(points: int, amount: str) -> list[tuple[str, str, str, int, str]]:
    return [("EARN", "fuel", "grocer", -points, f"-{amount}")]


async def total(house: House, kind: str = "EARN") -> int:
    return sum(one.amount for one in await house.obligations() if one.kind == kind)


async def gone(house: House) -> tuple[uuid.UUID, Posted, Posted]:
    """A member with nothing left of 1,000 points from the filling station: 600 were spent, 400 exchanged."""
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    spent = await house.spend(member, "fuel", 600)
    await house.use(member, await house.quote(member, points_out=400))
    return member, granted, spent


async def test_a01_the_worked_example_to_its_end(house: House) -> None:
    """Nothing left to claw: 0.00 is credited now, 0.009 a point as later earns repay."""
    clawing(house)
    member, granted, _ = await gone(house)
    returned = await house.reverse(member, granted)
    assert returned.data == {"taken": 1_000, "shortfall": 0}
    assert await house.owed(returned) == []
    later = await house.earn(member, "grocer", 300)
    assert await house.owed(later) == credit(300, "2.700000")
    at_fuel = await house.earn(member, "fuel", 900)
    assert await house.owed(at_fuel) == [("EARN", "fuel", "grocer", 900, "8.100000"), *credit(700, "6.300000")]
    assert await house.owed(await house.earn(member, "grocer", 50)) == []
    assert await total(house) == 8_100_000
    [first, *_] = [one for one in await house.obligations() if one.operation_id == later.operation_id]
    assert (first.reverses, first.merchant_id) == (granted.operation_id, house.id("fuel"))


async def test_a01_restored_points_repay_too(house: House) -> None:
    clawing(house)
    member, granted, spent = await gone(house)
    await house.reverse(member, granted)
    back = await house.reverse(member, spent)
    assert await house.owed(back) == [("SPEND", "grocer", "fuel", -600, "-5.400000"), *credit(600, "5.400000")]


async def test_a01_what_was_forgotten_and_then_recovered_is_credited(house: House) -> None:
    """Never below zero: the spend is cancelled after the sale, so its points go to the clawback."""
    member, granted, spent = await gone(house)
    assert await house.owed(await house.reverse(member, granted)) == []
    assert (await house.reverse(member, spent)).data["taken"] == 600
    assert await total(house) == 3_600_000
    assert await total(house, "SPEND") == 0
    assert await house.owed(await house.earn(member, "grocer", 500)) == []


async def test_a01_what_is_there_is_credited_now_and_the_rest_later(house: House) -> None:
    clawing(house)
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    await house.spend(member, "grocer", 700)
    part = await house.reverse(member, granted, asked=Asked(points=500))
    assert await house.owed(part) == credit(300, "2.700000")
    assert await house.owed(await house.reverse(member, granted)) == []
    repaid = [await house.owed(await house.earn(member, "grocer", points)) for points in (150, 100, 450)]
    assert repaid == [
        credit(150, "1.350000"),
        [*credit(50, "0.450000"), *credit(50, "0.450000")],
        credit(450, "4.050000"),
    ]
    assert await total(house) == 0


async def test_a01_in_one_batch_as_one_by_one(house: House) -> None:
    clawing(house)
    member, granted, _ = await gone(house)
    returned, later = await asyncio.gather(house.reverse(member, granted), house.earn(member, "grocer", 300))
    assert await house.owed(returned) == []
    assert await house.owed(later) == credit(300, "2.700000")


async def test_a01_the_shortfall_may_be_the_issuers(house: House) -> None:
    """Then the funder is credited at once, and nothing as the member repays."""
    clawing(house)
    bearing(house, "issuer")
    member, granted, _ = await gone(house)
    part = await house.reverse(member, granted, asked=Asked(points=400))
    assert await house.owed(part) == credit(400, "3.600000")
    assert await house.owed(await house.reverse(member, granted)) == credit(600, "5.400000")
    assert await house.owed(await house.earn(member, "grocer", 1_000)) == []
    assert await total(house) == 0


async def test_a01_r19_it_is_credited_at_the_originals_version(house: House) -> None:
    clawing(house)
    member, granted, _ = await gone(house)
    await house.reverse(member, granted)
    old = house.version()
    place = (house.id("fuel"), "GRO")
    dearer = replace(old.earn[place], owed=20_000, shortfall_to="issuer")
    moment = old.valid_from + days(300)
    house.agree(
        replace(old, version=2, valid_from=moment, earn={**old.earn, place: dearer}), replace(old, valid_to=moment)
    )
    later = await house.earn(member, "grocer", 100, as_of=moment + days(1))
    assert await house.owed(later) == credit(100, "0.900000")


async def test_a07_it_is_a_line_of_the_open_cycle(house: House) -> None:
    clawing(house)
    member, granted, _ = await gone(house)
    await house.reverse(member, granted)
    closed = await house.close()
    later = await house.earn(member, "grocer", 100)
    [line] = [one for one in await house.obligations() if one.operation_id == later.operation_id]
    assert line.cycle_id != closed.id


@pytest.mark.parametrize("parts", [[1_000], [1, 999], [333, 333, 334], [7] * 142 + [6]])
async def test_a01_all_parts_sum_to_zero_fees_too(house: House, parts: list[int]) -> None:
    clawing(house)
    house.agree(replace(house.version(), fees=(Fee(frozenset({"earn"}), Fraction("0.0123"), 7, "issuer"),)))
    member, granted, _ = await gone(house)
    await house.reverse(member, granted)
    requests = [house.earn(member, "grocer", points) for points in parts]
    await asyncio.gather(*requests)
    assert (await total(house), await total(house, "FEE")) == (0, 0)


async def test_a01_more_credited_than_was_owed_is_found(house: House) -> None:
    member = await house.member()
    granted = await house.earn(member, "fuel", 1_000)
    back = await house.reverse(member, granted)
    async with house.runtime.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "UPDATE obligation SET points = points - 1, amount = amount - 9000 WHERE points < 0"
        )
    async with house.runtime.database.session() as session:
        found = (await verify(session)).differences
    assert "what is owed back is no more than was owed" in {one.check for one in found}
    async with house.runtime.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "UPDATE obligation SET points = points + 1, amount = amount + 9000 WHERE points < 0"
        )
    assert await house.owed(back) == credit(1_000, "9.000000")
