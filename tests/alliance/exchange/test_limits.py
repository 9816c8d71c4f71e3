"""A member's fee, and the caps of all members (A1, A5)."""

import asyncio
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from alliance.exchange.errors import CapExceeded
from domain.ledger.request import Posted
from tests.alliance.support import House, days

ROUTE = ("GRO", "FUE")


def exchanging(house: House, **changes: Any) -> None:
    """Other terms from GRO to FUE."""
    version = house.version()
    terms = replace(version.exchange[ROUTE], **changes)
    house.agree(replace(version, exchange={**version.exchange, ROUTE: terms}))


async def test_a01_a_members_fee_is_in_points_and_in_the_quote(house: House) -> None:
    exchanging(house, fee_share=Fraction("0.02"), fee_points=3)
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    offered = await house.quote(member, points_out=210)
    assert (offered.points_out, offered.points_in, offered.fee, offered.rate) == (207, 160, 7, "0.8")
    done = await house.use(member, offered)
    assert (done.points, done.data) == (207, {"points_in": 160})
    assert await house.owed(done) == [("EXCHANGE", "grocer", "fuel", 200, "1.600000")]
    assert [lot.remaining for lot in await house.lots(member, "GRO")] == [793]
    assert [lot.price for lot in await house.lots(member, "FUE")] == [1_000_000]
    back = await house.reverse(member, done)
    assert await house.owed(back) == [("EXCHANGE", "grocer", "fuel", -200, "-1.600000")]
    assert [lot.remaining for lot in await house.lots(member, "GRO")] == [1_000]


async def test_a05_all_members_together_stay_within_the_cap_of_a_day(house: House) -> None:
    exchanging(house, daily_cap=500)
    members = [await house.member() for _ in range(12)]
    offers = []
    for member in members:
        await house.earn(member, "grocer", 200)
        offers.append(await house.quote(member, points_out=100))
    uses = (house.use(member, offered) for member, offered in zip(members, offers, strict=True))
    results = await asyncio.gather(*uses, return_exceptions=True)
    done = [result for result in results if isinstance(result, Posted)]
    refused = [result for result in results if isinstance(result, CapExceeded)]
    assert (len(done), len(refused)) == (5, 7)
    assert {(one.data["cap"], one.data["used"]) for one in refused} == {(500, 500)}
    tomorrow = await house.quote(members[-1], points_out=100, as_of=offers[0].created_at + days(1))
    await house.use(members[-1], tomorrow, as_of=tomorrow.created_at)


async def test_a05_the_cap_of_one_route_is_not_anothers(house: House) -> None:
    exchanging(house, daily_cap=100)
    member = await house.member()
    await house.earn(member, "grocer", 300)
    await house.earn(member, "fuel", 300, of="FUE")
    await house.use(member, await house.quote(member, points_out=100))
    await house.use(member, await house.quote(member, "FUE", "GRO", points_out=200))
    with pytest.raises(CapExceeded):
        await house.use(member, await house.quote(member, points_out=100))
