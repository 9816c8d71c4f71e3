"""What is promised reserves (A4, A5, R14): holds at a partner, quotes that were asked to. It is let go exactly."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alliance.clearing.holds import release_request
from alliance.exchange.errors import QuoteExpired
from alliance.exchange.model import Quote
from alliance.exposure.errors import MerchantAtCap
from domain.events.model import HeldJob
from domain.ledger.model import Hold
from domain.ledger.request import Posted
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.exposure.support import alerts, cap, limits, stand, used
from tests.alliance.exposure.test_caps import exchange, saver
from tests.alliance.support import CLIENT, NOON, House, days, key
from workers.actors.holds import lapse, lapse_range

MINUTE = timedelta(minutes=1)


async def release(house: House, held: Hold) -> Posted:
    return await house.runtime.engine.post(release_request(hold=held, as_of=NOON, key=key(), client_id=CLIENT))


async def lapse_all(house: House, as_of: datetime) -> None:
    """What the jobs do every five minutes."""
    for actor in (lapse, lapse_range):
        args = {"as_of": as_of.isoformat(), "first": str(uuid.UUID(int=0)), "before": None}
        async with house.runtime.database.transaction() as session:
            await actor(house.runtime, session, [HeldJob(uuid.uuid4(), args, 1)])


async def at_80(house: House, **more: str) -> Any:
    """Fuel with a cap of 100 and a position of 80, and a member with its points."""
    await limits(house, fuel=cap("100.00", **more))
    member = await saver(house)
    await house.spend(member, "grocer", 8_000, of="FUE")
    return member


def reserving(house: House, member: Any, points: int) -> Any:
    return house.quote(member, "FUE", "GRO", points_out=points, reserve=True)


async def test_r14_a_hold_at_a_partner_reserves_the_issuers_position(house: House) -> None:
    member = await at_80(house)
    held = await hold(house, member, "grocer", 1_500, of="FUE")
    assert await stand(house, "fuel") == ("80.000000", "15.000000")
    assert await alerts(house, "fuel") == [(70, "80.000000"), (85, "95.000000")]
    assert await exchange(house, member, 600) == "MERCHANT_AT_CAP"
    assert (await house.earn(member, "fuel", 600)).data == {"pending": 600}
    await release(house, held)
    assert await stand(house, "fuel") == ("80.000000", "0.000000")
    assert isinstance(await exchange(house, member, 1_500), Posted)


async def test_r14_a_capture_is_owed_instead_of_reserved_and_what_is_left_is_let_go(house: House) -> None:
    member = await at_80(house)
    held = await hold(house, member, "grocer", 1_500, of="FUE", seconds=7 * 86_400)
    version = house.version()
    place = (house.id("grocer"), "FUE")
    dearer = replace(version.redeem[place], redemption_price=1_200_000, owed=12_000)
    house.agree(
        replace(version, valid_to=NOON + days(1)),
        replace(version, version=2, valid_from=NOON + days(1), redeem={**version.redeem, place: dearer}),
    )
    captured = await capture(house, held, 1_000, as_of=NOON + days(2))
    assert (await house.owed(captured))[0] == ("SPEND", "fuel", "grocer", 1_000, "10.000000"), "at the hold's price"
    assert await stand(house, "fuel") == ("90.000000", "0.000000")
    assert not any(row.past_cap for row in await house.obligations())
    await hold(house, member, "grocer", 100, of="FUE", as_of=NOON + days(2))
    assert await stand(house, "fuel") == ("90.000000", "1.200000")
    house.agree(version)
    await lapse_all(house, NOON + days(3))


async def test_r14_what_a_hold_promised_goes_through_flagged(house: House) -> None:
    member = await at_80(house)
    held = await hold(house, member, "grocer", 3_000, of="FUE")
    assert await used(house, "fuel") == 110
    assert (await alerts(house, "fuel"))[-1] == (100, "110.000000")
    await capture(house, held)
    assert await stand(house, "fuel") == ("110.000000", "0.000000")
    assert [row.amount for row in await house.obligations() if row.past_cap] == [30_000_000]


async def test_r14_past_its_reserve_a_hold_is_refused_and_never_its_capture(house: House) -> None:
    member = await at_80(house, reserve="5.00")
    place = (house.id("grocer"), "FUE")
    version = house.version()
    refusing = replace(version.redeem[place], past_reserve="refuse")
    house.agree(replace(version, redeem={**version.redeem, place: refusing}))
    for dry_run in (True, False):
        with pytest.raises(MerchantAtCap):
            await hold(house, member, "grocer", 2_501, of="FUE", dry_run=dry_run)
    held = await hold(house, member, "grocer", 2_500, of="FUE")
    await limits(house, fuel=cap("50.00", reserve="0.00"))
    await capture(house, held)
    assert await stand(house, "fuel") == ("105.000000", "0.000000")


async def test_r14_a_hold_that_lapsed_reserves_until_it_is_given_back(house: House) -> None:
    member = await at_80(house)
    await hold(house, member, "grocer", 1_500, of="FUE", seconds=60)
    await lapse_all(house, NOON + MINUTE - timedelta(microseconds=1))
    assert await used(house, "fuel") == 95
    await lapse_all(house, NOON + MINUTE)
    assert await stand(house, "fuel") == ("80.000000", "0.000000")


async def test_a05_a_cap_that_is_set_later_counts_what_holds_and_quotes_reserve(house: House) -> None:
    await limits(house, fuel={}, grocer={})
    member = await saver(house)
    held = await hold(house, member, "grocer", 1_500, of="FUE")
    offered = await reserving(house, member, 2_000)
    await limits(house, fuel=cap("35.00"))
    assert await stand(house, "fuel") == ("0.000000", "35.000000")
    assert await exchange(house, member, 100) == "MERCHANT_AT_CAP"
    await house.use(member, offered)
    await release(house, held)
    assert await stand(house, "fuel") == ("20.000000", "0.000000")


async def test_a04_a_quote_reserves_nothing_unless_asked(house: House) -> None:
    member = await at_80(house)
    plain, asked = [await house.quote(member, "FUE", "GRO", points_out=1_500) for _ in range(2)]
    assert await used(house, "fuel") == 80
    assert isinstance(await house.use(member, plain), Posted)
    with pytest.raises(MerchantAtCap):
        await house.use(member, asked)


async def test_a04_a_quote_that_reserves_is_promised(house: House) -> None:
    """Of two that want the same room one is offered; and it is exchanged, whatever is spent meanwhile."""
    member = await at_80(house)
    offered = await reserving(house, member, 1_500)
    assert await stand(house, "fuel") == ("80.000000", "15.000000")
    with pytest.raises(MerchantAtCap):
        await reserving(house, member, 600)
    assert await exchange(house, member, 600) == "MERCHANT_AT_CAP"
    await house.spend(member, "grocer", 3_000, of="FUE")
    assert await stand(house, "fuel") == ("110.000000", "15.000000")
    assert (await house.use(member, offered, dry_run=True)).points == 1_500
    await house.use(member, offered)
    assert await stand(house, "fuel") == ("125.000000", "0.000000")
    assert [row.amount for row in await house.obligations() if row.past_cap] == [30_000_000, 15_000_000]


async def test_a04_what_a_quote_reserved_comes_back_once_it_has_expired(house: House) -> None:
    member = await at_80(house)
    offered: Quote = await reserving(house, member, 1_000)
    await house.use(member, await reserving(house, member, 500))
    assert await stand(house, "fuel") == ("85.000000", "10.000000")
    await lapse_all(house, offered.expires_at - timedelta(microseconds=1))
    assert await used(house, "fuel") == 95
    await lapse_all(house, offered.expires_at)
    assert await stand(house, "fuel") == ("85.000000", "0.000000"), "once for the quote that was used"
    assert await house.count("quote_reservation") == 0
    with pytest.raises(QuoteExpired):
        await house.use(member, offered, as_of=offered.expires_at)
    await house.use(member, offered, as_of=offered.expires_at - timedelta(seconds=1))
    assert await stand(house, "fuel") == ("95.000000", "0.000000"), "by a clock behind ours: as without a reservation"
