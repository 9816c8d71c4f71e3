"""Positions against one cap a merchant (A5): what is refused, what waits, what goes through, and what gives room."""

import uuid
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

import pytest
from sqlalchemy import text

from alliance.agreements.book import Fee
from alliance.clearing.adjustments import adjust_request
from alliance.exchange.commands import exchange_request
from alliance.exposure.errors import MerchantAtCap
from alliance.verify import verify
from domain.errors import Refusal
from domain.events.model import HeldJob
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.programs.terms import ExpiryPolicy, PendingTerms
from tests.alliance.clearing.test_grants import activate, confirmed, figures, proved, terms  # noqa: F401
from tests.alliance.exposure.support import alerts, cap, limits, stand, used
from tests.alliance.support import CLIENT, NOON, House, days, key
from workers.actors.room import room


async def tell(house: House, as_of: datetime = NOON) -> None:
    """What the job does once there may be room."""
    async with house.runtime.database.transaction() as session:
        await room(house.runtime, session, [HeldJob(uuid.uuid4(), {"as_of": as_of.isoformat()}, 1)])


async def saver(house: House, fue: int = 100_000) -> uuid.UUID:
    """A member with Fuel points of fuel's own."""
    member = await house.member()
    await house.earn(member, "fuel", fue, of="FUE")
    return member


async def exchange(house: House, member: uuid.UUID, points: int) -> Posted | str:
    """FUE for GRO, for which fuel comes to owe grocer a cent a point; the code of a refusal."""
    try:
        return await house.use(member, await house.quote(member, "FUE", "GRO", points_out=points))
    except Refusal as refusal:
        return refusal.code


async def test_a05_cap_100_position_80(house: House) -> None:
    await limits(house, fuel=cap("100.00"))
    member = await saver(house)
    await house.spend(member, "grocer", 8_000, of="FUE")
    assert await stand(house, "fuel") == ("80.000000", "0.000000")
    said = [await exchange(house, member, 1_500) for _ in range(3)]
    assert [one if isinstance(one, str) else one.points for one in said] == [1_500, *["MERCHANT_AT_CAP"] * 2]
    assert await used(house, "fuel") == 95
    spent = await house.spend(member, "grocer", 3_000, of="FUE")
    assert await used(house, "fuel") == 125
    flagged = [row for row in await house.obligations() if row.past_cap]
    assert [(row.operation_id, row.amount) for row in flagged] == [(spent.operation_id, 30_000_000)]
    earned = await house.earn(member, "fuel", 112)
    assert (earned.points, earned.data) == (112, {"pending": 112})
    assert await figures(house, member) == (1_500, 112)
    assert await used(house, "fuel") == 125
    assert await alerts(house, "fuel") == [(70, "80.000000"), (85, "95.000000"), (100, "125.000000")]


async def test_a05_one_cap_for_the_whole_alliance_and_none_for_others(house: House) -> None:
    """What fuel is owed gives it room; grocer has no cap and no row."""
    await limits(house, fuel=cap("10.00", collateral="5.00"), grocer={})
    member = await saver(house)
    assert isinstance(await exchange(house, member, 1_500), Posted)
    assert await exchange(house, member, 100) == "MERCHANT_AT_CAP"
    await house.earn(member, "grocer", 10_000)
    await house.spend(member, "fuel", 200)
    assert await used(house, "fuel") == 13.2
    assert isinstance(await exchange(house, member, 180), Posted)
    assert await used(house, "fuel") == 15
    async with house.runtime.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM exposure")) == 1


async def test_a05_an_earn_waits_until_there_is_room_and_is_then_owed(house: House) -> None:
    await limits(house, fuel=cap("9.00"))
    member = await house.member()
    first = await house.earn(member, "fuel", 900)
    second, third = await house.earn(member, "fuel", 200), await house.earn(member, "fuel", 100)
    assert [one.data for one in (first, second, third)] == [{}, {"pending": 200}, {}]
    fourth = await house.earn(member, "fuel", 1)
    assert fourth.data == {"pending": 1}
    assert await stand(house, "fuel") == ("9.000000", "0.000000")
    await tell(house)
    assert await figures(house, member) == (1_000, 201)

    await house.reverse(member, first)
    assert await used(house, "fuel") == 0.9
    await tell(house)
    assert await figures(house, member) == (301, 0)
    assert await stand(house, "fuel") == ("2.709000", "0.000000")
    assert await house.owed(second) == []
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []
    await house.reverse(member, second)
    assert await used(house, "fuel") == 0.909


async def test_a05_who_waits_longest_comes_first(house: House) -> None:
    await limits(house, fuel=cap("9.00"))
    member = await house.member()
    first = await house.earn(member, "fuel", 1_000)
    for n, points in enumerate((900, 800, 50)):
        await house.earn(member, "fuel", points, as_of=NOON + days(n))
    assert await figures(house, member) == (1_000, 1_750)
    await house.reverse(member, first, asked=Asked(points=949), as_of=NOON + days(3))
    await tell(house, NOON + days(1))
    assert await figures(house, member, NOON + days(3)) == (951, 850)
    await tell(house, NOON + days(3))
    assert await figures(house, member, NOON + days(3)) == (951, 850)


async def test_a05_settling_gives_room_and_never_a_higher_cap(house: House) -> None:
    await limits(house, fuel=cap("20.00"))
    member = await saver(house)
    assert isinstance(await exchange(house, member, 1_500), Posted)
    await house.earn(member, "fuel", 1_000)
    assert await figures(house, member) == (1_500, 1_000)
    cycle = await house.through(await house.close(), "net_cycle")
    assert await used(house, "fuel") == 15
    await house.step("record_receipts", await house.step("settle_cycle", cycle))
    assert (await used(house, "fuel"), await used(house, "grocer")) == (0, 0)
    async with house.runtime.database.session() as session:
        jobs = await session.scalar(text("SELECT count(*) FROM job WHERE actor = 'room'"))
        assert jobs
    await tell(house)
    assert await figures(house, member) == (2_500, 0)
    assert await exchange(house, member, 1_101) == "MERCHANT_AT_CAP"
    assert isinstance(await exchange(house, member, 1_100), Posted)


async def test_a05_aborting_a_cycle_changes_no_position(house: House) -> None:
    await limits(house, fuel=cap("20.00"))
    member = await saver(house)
    await exchange(house, member, 1_501)
    first = await house.through(await house.close(), "net_cycle")
    await exchange(house, member, 333)
    await house.step("abort_cycle", first)
    assert (await used(house, "fuel"), await used(house, "grocer")) == (18.34, -18.34)
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []
    await house.through(await house.close())
    assert await used(house, "fuel") == 0


async def test_a05_what_is_carried_stays_in_the_position(house: House) -> None:
    """A payment under the minimum is not made: fuel still owes it, and it settles with the next cycle's."""
    await limits(house, fuel=cap("20.00"))
    member = await saver(house)
    await exchange(house, member, 999)
    await house.through(await house.close())
    assert await used(house, "fuel") == 9.99
    await exchange(house, member, 100)
    await house.through(await house.close())
    assert await used(house, "fuel") == 0


async def test_a05_pending_by_the_terms_reserves_once_and_is_billed_out_of_it(proved: House) -> None:  # noqa: F811
    fee = Fee(frozenset({"earn"}), Fraction("0.0333"), 7, "partner")
    proved.agree(replace(proved.version(), fees=(fee,)))
    await limits(proved, fuel=cap("10.00"))
    proved.agree(replace(proved.version(), fees=(fee,)))
    terms(proved, pending=PendingTerms(14))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    assert await stand(proved, "fuel") == ("0.000000", "9.299707")
    lacking = await proved.earn(member, "fuel", 100)
    assert await stand(proved, "fuel") == ("0.000000", "9.299707")
    later = NOON + days(20)
    await activate(proved, member, earned, later)
    assert await stand(proved, "fuel") == ("9.299707", "0.000000")
    with pytest.raises(MerchantAtCap):
        await activate(proved, member, lacking, later)
    with pytest.raises(MerchantAtCap):
        await proved.runtime.engine.post(await confirmed(proved, member, lacking))
    await proved.reverse(member, earned)
    await tell(proved, later)
    assert await figures(proved, member, later) == (100, 0)


async def test_a05_a_rejected_pending_earn_reserves_nothing_any_more(proved: House) -> None:  # noqa: F811
    await limits(proved, fuel=cap("10.00"))
    terms(proved, pending=PendingTerms(14), expiry=ExpiryPolicy("never"))
    member = await proved.member()
    earned = await proved.earn(member, "fuel", 1_000)
    await proved.reverse(member, earned, asked=Asked(points=333))
    assert await stand(proved, "fuel") == ("0.000000", "6.003000")
    await proved.reverse(member, earned)
    assert await stand(proved, "fuel") == ("0.000000", "0.000000")


async def test_a05_points_by_hand_are_refused_without_room(house: House) -> None:
    await limits(house, fuel=cap("1.00"))
    member = await house.member()

    def by_hand(points: int, dry_run: bool = False) -> object:
        return adjust_request(
            house.runtime,
            member_id=member,
            merchant=house.runtime.catalogue.merchants["fuel"],
            currency="GRO",
            points=points,
            reason="goodwill",
            occurred_at=NOON,
            as_of=NOON,
            key=key(),
            client_id=CLIENT,
            dry_run=dry_run,
        )

    for dry_run in (True, False):
        with pytest.raises(MerchantAtCap):
            await house.runtime.engine.post(by_hand(112, dry_run))
    await house.runtime.engine.post(by_hand(111))
    assert await used(house, "fuel") == 0.999


async def test_a05_a_dry_run_says_that_an_earn_would_wait(house: House) -> None:
    await limits(house, fuel=cap("1.00"))
    member = await house.member()
    tried = await house.earn(member, "fuel", 112, dry_run=True)
    assert (tried.operation_id, tried.points, tried.data) == (None, 112, {"pending": 112})
    assert (await house.earn(member, "fuel", 111, dry_run=True)).data == {}


async def test_a05_past_its_reserve_as_the_agreement_says(house: House) -> None:
    await limits(house, fuel=cap("10.00", reserve="5.00"))
    member = await saver(house)
    await house.spend(member, "grocer", 1_600, of="FUE")
    place = (house.id("grocer"), "FUE")
    version = house.version()
    refusing = replace(version.redeem[place], past_reserve="refuse")
    house.agree(replace(version, redeem={**version.redeem, place: refusing}))
    for dry_run in (True, False):
        with pytest.raises(MerchantAtCap):
            await house.spend(member, "grocer", 1, of="FUE", dry_run=dry_run)
    assert await used(house, "fuel") == 16
    earned = await house.earn(member, "grocer", 1_000)
    await house.spend(member, "fuel", 200)
    await house.spend(member, "grocer", 80, of="FUE")
    assert (earned.points, await used(house, "fuel")) == (1_000, 15)
    with pytest.raises(MerchantAtCap):
        await house.spend(member, "grocer", 1, of="FUE")


async def test_a05_a_cap_that_is_set_later_counts_what_is_booked_and_one_taken_away_frees(house: House) -> None:
    await limits(house, fuel={}, grocer={})
    member = await saver(house)
    await exchange(house, member, 3_000)
    await house.through(await house.close())
    await exchange(house, member, 2_000)
    await limits(house, fuel=cap("20.00"))
    assert await stand(house, "fuel") == ("20.000000", "0.000000")
    assert await alerts(house, "fuel") == [(100, "20.000000")]
    await house.earn(member, "fuel", 100)
    assert await exchange(house, member, 100) == "MERCHANT_AT_CAP"
    await limits(house, fuel=cap("30.00"))
    assert isinstance(await exchange(house, member, 100), Posted)
    await limits(house, fuel={})
    assert isinstance(await exchange(house, member, 100_00), Posted)
    await tell(house)
    assert await figures(house, member) == (15_200, 0)


async def test_a05_whoever_has_not_heard_of_a_cap_yet_adds_to_the_position_all_the_same(house: House) -> None:
    await limits(house, fuel={}, grocer={})
    member = await saver(house)
    offered = await house.quote(member, "FUE", "GRO", points_out=5_000)
    await exchange(house, member, 100)
    async with house.runtime.database.session() as session:
        named = {"member_id": member, "quote_id": offered.id, "as_of": NOON, "key": key(), "client_id": CLIENT}
        made_before = await exchange_request(session, house.runtime, **named)
    await limits(house, fuel=cap("20.00"))
    await house.runtime.engine.post(made_before)
    assert await used(house, "fuel") == 51


async def test_r26_verify_names_the_position_that_differs(house: House) -> None:
    member = await saver(house)
    await exchange(house, member, 100)
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE exposure SET owed = owed + 1, reserved = 5 WHERE owed > 0"))
    async with house.runtime.database.session() as session:
        found = (await verify(session)).differences
    assert {(one.holder, one.what, one.kept, one.proved) for one in found} == {
        (str(house.id("fuel")), "owed", 1_000_001, 1_000_000),
        (str(house.id("fuel")), "reserved", 5, 0),
    }
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE exposure SET owed = owed - 1, reserved = 0 WHERE owed > 0"))


def test_a14_a_refusal_says_no_figures() -> None:
    assert "fuel" in MerchantAtCap(merchant="fuel").message("zh-CN")
    assert MerchantAtCap(merchant="fuel").data == {"merchant": "fuel"}
