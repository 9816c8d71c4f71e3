"""Points of a merchant in default (A12): honoured from the reserve for 90 days, then refused at partners."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from alliance.approvals.commands import About
from alliance.defaults.deposits import Deposit
from alliance.defaults.errors import PointsNotHonoured
from alliance.defaults.honouring import end_honouring, pay_honoured
from alliance.defaults.recovering import recover, restore
from domain.base import new_id
from domain.events.model import Event, HeldJob
from tests.alliance.defaults.support import ABOUT, LATE, bring, declared, held, owing, proved
from tests.alliance.support import House, days
from workers.actors.honouring import honour


async def test_a12_points_are_honoured_and_then_not(house: House) -> None:
    """Fuel owes 72.00 and does not pay; 1,000 FUE are spent at grocer since, for 10.00; the reserve has 6.00 of it."""
    fuel, grocer, runtime = house.id("fuel"), house.id("grocer"), house.runtime
    member = await house.member()
    await house.earn(member, "fuel", 8_000)
    await house.earn(member, "fuel", 5_000, of="FUE")
    cycle = await house.through(await house.close(), "settle_cycle")
    await bring(house, fuel, Deposit.RESERVE, 200)
    await bring(house, grocer, Deposit.RESERVE, 400)
    default = await declared(house, cycle, fuel)
    assert default.honoured_until == LATE.replace(day=20, month=9, hour=4)

    async def pay(as_of: Any = LATE) -> int:
        async with runtime.database.transaction() as session:
            return await pay_honoured(session, runtime.catalogue.alliance, as_of)

    async def end(as_of: Any) -> list[Any]:
        async with runtime.database.transaction() as session:
            ended = await end_honouring(session, as_of)
        await runtime.refresh()
        return ended

    assert await pay() == 0
    await house.spend(member, "grocer", 1_000, of="FUE")
    before = await owing(house)
    assert (await pay(), await pay()) == (600, 0)
    assert (await held(house), before[fuel, grocer] - (await owing(house))[fuel, grocer]) == ({}, 600)
    await proved(house)
    await bring(house, grocer, Deposit.RESERVE, 700)
    assert await pay() == 400
    assert await end(LATE + days(80)) == []
    async with runtime.database.session() as session:
        assert await honour(runtime, session, [HeldJob(new_id(), {"as_of": (LATE + days(95)).isoformat()}, 1)]) == {}
        [event] = await session.scalars(select(Event).where(Event.kind == "HONOURING_ENDED"))
    assert set(event.seen_by or ()) >= {str(fuel), str(grocer)}
    await runtime.refresh()
    assert await end(LATE + days(96)) == []
    with pytest.raises(PointsNotHonoured):
        await house.spend(member, "grocer", 100, of="FUE")
    await house.spend(member, "fuel", 100, of="FUE")
    await proved(house)
    await returned(house, default)
    assert await held(house) == {
        ("RESERVE", fuel): 200,
        ("RESERVE", grocer): 1_100,
        ("BANK", house.id("operator")): 1_300,
    }
    await house.spend(member, "grocer", 100, of="FUE")
    await proved(house)


async def returned(house: House, default: Any) -> None:
    """It pays what others lost and what the reserve paid for it, and is restored."""
    about: About = replace(ABOUT, as_of=LATE + days(100))
    async with house.runtime.database.transaction() as session:
        alliance = house.runtime.catalogue.alliance
        await recover(session, alliance, default.id, 7_200 + 1_000, about)
        await restore(session, alliance, default.merchant_id, who=about.who, why="paid", as_of=about.as_of)
    await house.runtime.refresh()
