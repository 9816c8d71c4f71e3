"""A merchant that is frozen (A5, A12, A16): nothing new, what was promised goes through, claims on it give no room."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from alliance.clearing.adjustments import adjust_request
from alliance.exchange.commands import exchange_request
from alliance.exposure.errors import MerchantFrozen, MerchantNotFrozen
from alliance.exposure.freezing import freeze, restore
from alliance.exposure.model import Exposure, FreezeStep
from alliance.verify import verify
from domain.errors import InvalidInput, Refusal
from domain.events.model import Event
from domain.ledger.request import Posted
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.exposure.support import alerts, cap, limits, used
from tests.alliance.exposure.test_caps import exchange, saver, tell
from tests.alliance.exposure.test_reserving import reserving
from tests.alliance.support import CLIENT, NOON, WHO, House, days, key


async def freezes(house: House, code: str, *, hear: bool = True, why: str = "does not pay") -> None:
    """Freeze a merchant; without `hear` our process goes on by what it knew."""
    async with house.runtime.database.transaction() as session:
        await freeze(session, house.id(code), who=WHO, why=why, as_of=NOON)
    if hear:
        await house.runtime.refresh()


async def restores(house: House, code: str) -> None:
    async with house.runtime.database.transaction() as session:
        await restore(session, house.id(code), who=WHO, why="paid", as_of=NOON + days(1))
    await house.runtime.refresh()


async def proved(house: House) -> None:
    async with house.runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def withheld(house: House, code: str) -> float:
    async with house.runtime.database.session() as session:
        return (await session.get_one(Exposure, house.id(code))).withheld / 1_000_000


@pytest.mark.parametrize("hear", [True, False], ids=["heard of", "not heard of"])
async def test_a12_nothing_new_is_issued_or_exchanged(house: House, hear: bool) -> None:
    """Whether the process has heard of it or not: what it takes in hand is decided as things stand."""
    await limits(house, fuel=cap("100.00"), grocer={})
    member = await saver(house)
    await house.earn(member, "grocer", 1_000)
    plain = await house.quote(member, "FUE", "GRO", points_out=100)
    asked: dict[str, Any] = {"member_id": member, "quote_id": plain.id, "as_of": NOON, "key": key()}
    async with house.runtime.database.session() as session:
        at_hand = await exchange_request(session, house.runtime, client_id=CLIENT, **asked)
    await freezes(house, "fuel", hear=hear)
    for at, of in (("fuel", "GRO"), ("grocer", "FUE")):
        with pytest.raises(Refusal) as refused:
            await house.earn(member, at, 10, of=of)
        assert refused.value.code == ("MERCHANT_FROZEN" if at == "fuel" else "NO_AGREEMENT")
    with pytest.raises(MerchantFrozen) as named:
        await house.runtime.engine.post(at_hand)
    assert (named.value.data, named.value.path) == ({"merchant": "fuel"}, ("quote",))
    with pytest.raises(MerchantFrozen):
        await reserving(house, member, 100)
    if hear:
        for source, target in (("FUE", "GRO"), ("GRO", "FUE")):
            with pytest.raises(MerchantFrozen):
                await house.quote(member, source, target, points_out=100)
        with pytest.raises(MerchantFrozen):
            await house.earn(member, "fuel", 10, of="FUE")
        with pytest.raises(MerchantFrozen):
            await house.earn(member, "fuel", 10, dry_run=True)
        await house.earn(member, "grocer", 10)
    await restores(house, "fuel")
    await house.earn(member, "fuel", 10)
    await house.earn(member, "fuel", 10, of="FUE")
    assert isinstance(await exchange(house, member, 100), Posted)


async def test_a12_points_by_hand_are_new_too(house: House) -> None:
    member = await saver(house)
    await freezes(house, "fuel")
    fuel = house.runtime.catalogue.merchants["fuel"]

    def by_hand(points: int) -> Any:
        named = {"reason": "goodwill", "occurred_at": NOON, "as_of": NOON, "key": key(), "client_id": CLIENT}
        return adjust_request(house.runtime, member_id=member, merchant=fuel, currency="FUE", points=points, **named)

    with pytest.raises(MerchantFrozen):
        await house.runtime.engine.post(by_hand(10))
    assert (await house.runtime.engine.post(by_hand(-10))).points == 10
    await restores(house, "fuel")


async def test_a05_a12_what_was_promised_goes_through(house: House) -> None:
    """Points are spent, holds captured, a quote that reserved exchanged, a sale returned; what waits, waits."""
    await limits(house, fuel=cap("30.00"), grocer={})
    member = await saver(house)
    held = await hold(house, member, "grocer", 500, of="FUE")
    offered = await reserving(house, member, 1_000)
    earned = await house.earn(member, "fuel", 100)
    waiting = await house.earn(member, "fuel", 2_000)
    assert waiting.data == {"pending": 2_000}
    await freezes(house, "fuel")
    await house.spend(member, "grocer", 100, of="FUE")
    await capture(house, held)
    await house.use(member, offered)
    await house.spend(member, "fuel", 50)
    await house.reverse(member, earned)
    await limits(house, fuel=cap("300.00"))
    await tell(house)
    assert 2_000 not in [lot.granted for lot in await house.lots(member, "GRO")]
    await restores(house, "fuel")
    await tell(house)
    assert [lot.granted for lot in await house.lots(member, "GRO")][-1] == 2_000


async def test_a05_claims_on_a_frozen_merchant_give_no_headroom(house: House) -> None:
    """Grocer is owed 80 by fuel, and owes 40: with a cap of 45 it has room for 125, and frozen for 5."""
    await limits(house, fuel={}, grocer=cap("45.00"))
    member = await saver(house)
    await house.spend(member, "grocer", 8_000, of="FUE")
    await house.earn(member, "grocer", 10_000)
    await house.use(member, await house.quote(member, points_out=5_000))
    assert await used(house, "grocer") == -40
    await freezes(house, "fuel")
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (40, 80)
    assert await alerts(house, "grocer") == [(85, "40.000000")]
    spent = await house.spend(member, "grocer", 1_000, of="FUE")
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (40, 90)
    await house.spend(member, "fuel", 1_000)
    assert await used(house, "grocer") == 49
    assert [row.amount for row in await house.obligations() if row.past_cap] == [9_000_000]
    await house.reverse(member, spent)
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (49, 80)
    await proved(house)
    await restores(house, "fuel")
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (-31, 0)
    await proved(house)


async def test_a05_what_comes_back_of_settled_claims_gives_no_room_either(house: House) -> None:
    await limits(house, fuel={}, grocer=cap("45.00"))
    member = await saver(house)
    spent = await house.spend(member, "grocer", 2_000, of="FUE")
    await house.through(await house.close())
    await freezes(house, "fuel")
    await house.reverse(member, spent)
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (20, -20)
    await proved(house)
    await restores(house, "fuel")


async def test_a05_a_settled_or_aborted_cycle_withholds_what_is_left(house: House) -> None:
    await limits(house, fuel={}, grocer=cap("45.00"))
    member = await saver(house)
    await house.spend(member, "grocer", 2_000, of="FUE")
    first = await house.close()
    await freezes(house, "fuel")
    await house.spend(member, "grocer", 1_500, of="FUE")
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (0, 35)
    await house.step("abort_cycle", first)
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (0, 35)
    await proved(house)
    await house.through(await house.close())
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (0, 0)
    await house.spend(member, "grocer", 100, of="FUE")
    await house.through(await house.close())
    assert (await used(house, "grocer"), await withheld(house, "grocer")) == (0, 1), "carried"
    await proved(house)
    await restores(house, "fuel")


async def test_a16_each_is_recorded_with_who_and_why(house: House) -> None:
    with pytest.raises(InvalidInput):
        await freezes(house, "fuel", why=" ")
    with pytest.raises(MerchantNotFrozen):
        await restores(house, "fuel")
    await freezes(house, "fuel")
    with pytest.raises(MerchantFrozen):
        await freezes(house, "fuel")
    await restores(house, "fuel")
    async with house.runtime.database.session() as session:
        steps = (await session.scalars(select(FreezeStep).order_by(FreezeStep.seq))).all()
        events = (await session.scalars(select(Event).where(Event.kind.like("MERCHANT_%")).order_by(Event.id))).all()
    mine = [step for step in steps if step.merchant_id == house.id("fuel")][-2:]
    assert [(step.kind, step.who, step.why) for step in mine] == [
        ("FROZEN", WHO, "does not pay"),
        ("RESTORED", WHO, "paid"),
    ]
    assert [event.kind for event in events if event.holder_id == house.id("fuel")][-2:] == [
        "MERCHANT_FROZEN",
        "MERCHANT_RESTORED",
    ]
    assert isinstance(mine[0].cycle_id, uuid.UUID | None)
