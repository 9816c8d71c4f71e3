"""A merchant that leaves (A12): 90 days' notice, run-off, last cycle, its deposit back after the claims."""

from datetime import date, timedelta
from typing import Any

import pytest

from alliance.agreements.errors import NoticeTooShort
from alliance.agreements.steps import Act
from alliance.defaults import deposits
from alliance.defaults.deposits import Deposit
from alliance.departing import commands, queries
from alliance.departing.errors import AlreadyLeaving, NotLeaving
from domain.errors import Refusal
from tests.alliance.defaults.support import bring, merchant, proved
from tests.alliance.exposure.support import cap, limits
from tests.alliance.support import NOON, WHO, House, days


async def announced(house: House, on: date | None = None) -> Any:
    fuel, catalogue = house.id("fuel"), house.runtime.catalogue
    async with house.runtime.database.transaction() as session:
        act = Act(fuel, WHO, "sold", NOON)
        row = await commands.announce(session, catalogue, merchant(house, fuel), on=on, act=act)
    await house.runtime.refresh()
    return row


async def test_a12_exit_is_not_default(house: House) -> None:
    await limits(house, fuel=cap("10.00", collateral="50.00"), grocer={})
    fuel = house.id("fuel")
    await bring(house, fuel, Deposit.COLLATERAL, 5_000)
    member = await house.member()
    await house.earn(member, "fuel", 500)
    with pytest.raises(NoticeTooShort):
        await announced(house, date(2017, 8, 29))
    row = await announced(house)
    assert (row.ends_at.date(), row.runs_off_to.date()) == (date(2017, 8, 30), date(2017, 9, 29))
    with pytest.raises(AlreadyLeaving):
        await announced(house)

    async def stands(as_of: Any) -> tuple[str, list[str], int]:
        async with house.runtime.database.session() as session:
            found = await queries.latest(session, fuel)
            assert found is not None
            open_ = await queries.obstacles(session, found, as_of)
            alliance = house.runtime.catalogue.alliance
            most = await deposits.releasable(session, alliance, merchant(house, fuel), Deposit.COLLATERAL, as_of)
            return queries.status_of(found, open_, as_of).value, open_, most

    assert await stands(NOON) == ("ANNOUNCED", ["CLAIMS", "CYCLES", "RUN_OFF"], 0)
    running = row.ends_at + days(1)
    assert (await stands(running))[0] == "RUNNING_OFF"
    with pytest.raises(Refusal):
        await house.earn(member, "fuel", 10, as_of=running)
    await house.spend(member, "fuel", 100, as_of=running)
    late = row.claims_until + timedelta(seconds=1)
    assert await stands(late) == ("SETTLING", ["CYCLES"], 0)
    await house.through(await house.close())
    assert await stands(row.claims_until - days(1)) == ("SETTLING", ["CLAIMS"], 0)
    assert await stands(late) == ("GONE", [], 5_000)
    await proved(house)


async def test_a12_notice_is_withdrawn_before_the_day(house: House) -> None:
    fuel, alliance = house.id("fuel"), house.runtime.catalogue.alliance
    row = await announced(house, date(2017, 12, 1))

    async def withdraw(as_of: Any) -> Any:
        async with house.runtime.database.transaction() as session:
            return await commands.withdraw(session, alliance, merchant(house, fuel), Act(fuel, WHO, "stays", as_of))

    with pytest.raises(NotLeaving):
        await withdraw(row.ends_at)
    assert (await withdraw(NOON)).withdrawn_at == NOON
    with pytest.raises(NotLeaving):
        await withdraw(NOON)
