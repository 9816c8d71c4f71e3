"""What is deposited (A12, A16): given back as far as it is not needed, drawn for what is late; netting again."""

from dataclasses import replace
from typing import Any

import pytest

from alliance.defaults import commands, deposits
from alliance.defaults.deposits import Deposit
from alliance.defaults.errors import DepositNeeded, PayInNotMissing
from alliance.treasury.errors import NotEnoughMoney
from domain.errors import InvalidInput, NotAllowed
from tests.alliance.defaults.support import (
    ABOUT,
    A,
    B,
    C,
    D,
    E,
    at,
    bring,
    held,
    merchant,
    owing,
    payments,
    proved,
    recovered,
    settling,
    shares,
)
from tests.alliance.defaults.test_declaring import restored
from tests.alliance.exposure.support import cap, limits
from tests.alliance.settlement.test_cycles import positions
from tests.alliance.support import House


async def given_back(house: House, party: Any, account: Deposit, cents: int) -> None:
    async with house.runtime.database.transaction() as session:
        alliance = house.runtime.catalogue.alliance
        await deposits.release(session, alliance, merchant(house, party), account, cents, ABOUT)


async def test_a16_collateral_is_kept_for_what_it_is_needed(house: House) -> None:
    """Promised 50.00; with a credit limit of 10.00 and a position of 90.00, 80.00 are needed."""
    await limits(house, fuel=cap("10.00", collateral="50.00"), grocer={})
    fuel = house.id("fuel")
    await bring(house, fuel, Deposit.COLLATERAL, 9_000)
    with pytest.raises(DepositNeeded) as refused:
        await given_back(house, fuel, Deposit.COLLATERAL, 4_001)
    assert refused.value.data == {"releasable": "40.00"}
    member = await house.member()
    await house.earn(member, "fuel", 4_000, of="FUE")
    await house.earn(member, "grocer", 1)
    await house.spend(member, "grocer", 4_000, of="FUE")
    async with house.runtime.database.session() as session:
        alliance = house.runtime.catalogue.alliance
        most = await deposits.releasable(session, alliance, merchant(house, fuel), Deposit.COLLATERAL, ABOUT.as_of)
    assert most == 4_000
    await limits(house, fuel=cap("10.00", collateral="5.00"), grocer={})
    async with house.runtime.database.session() as session:
        assert (
            await deposits.releasable(session, alliance, merchant(house, fuel), Deposit.COLLATERAL, ABOUT.as_of)
            == 6_000
        )
    await given_back(house, fuel, Deposit.COLLATERAL, 6_000)
    assert await held(house) == {("COLLATERAL", fuel): 3_000, ("BANK", house.id("operator")): 3_000}


async def test_a16_collateral_is_drawn_for_what_is_late(house: House) -> None:
    cycle = await settling(house)
    await bring(house, D, Deposit.COLLATERAL, 30_000)

    async def draw(cents: int, day: int = 20, party: Any = D) -> None:
        async with house.runtime.database.transaction() as session:
            about, alliance = replace(ABOUT, as_of=at(day)), house.runtime.catalogue.alliance
            await deposits.draw(session, alliance, merchant(house, party), cycle.id, cents, about)

    with pytest.raises(PayInNotMissing):
        await draw(10_000, day=8)
    with pytest.raises(InvalidInput):
        await draw(28_001)
    await draw(10_000)
    assert sum(row[2] for row in await payments(house, cycle) if row[0] == D and row[3] == "PAID") == 10_000
    await proved(house)
    await draw(18_000)
    with pytest.raises(PayInNotMissing):
        await draw(1)
    assert (await held(house))["COLLATERAL", D] == 2_000
    await bring(house, B, Deposit.COLLATERAL, 100)
    with pytest.raises(NotEnoughMoney):
        await draw(5_000, party=B)
    await proved(house)


async def test_a12_netting_again_only_where_agreed_and_before_any_payment(house: House) -> None:
    """A is owed 50 by C, B 50 by E; D keeps its accounts with all four, and its collateral pays a part of its debts."""
    cycle = await settling(house)
    await bring(house, D, Deposit.COLLATERAL, 10_000)
    alliance = house.runtime.catalogue.alliance

    async def declared(house: House, alliance: Any) -> Any:
        async with house.runtime.database.transaction() as session:
            return await commands.declare(session, alliance, D, cycle.id, ABOUT, True)

    with pytest.raises(NotAllowed):
        await declared(house, alliance)
    agreed = replace(alliance, defaults=replace(alliance.defaults, renet=True))
    default = await declared(house, agreed)
    assert {party: open_ for party, (_, open_) in (await positions(house, cycle)).items() if open_} == {
        A: 5_000,
        B: 5_000,
        C: -5_000,
        E: -5_000,
    }
    assert await shares(house, default) == {A: (8_413, 0, 0), C: (37_857, 0, 0), E: (6_730, 0, 0)}
    await proved(house)
    with pytest.raises(PayInNotMissing):
        await declared(house, agreed)
    cycle = await house.step("record_receipts", cycle, as_of=ABOUT.as_of)
    assert cycle.status == "SETTLED"
    owed = await owing(house)
    assert owed == {(D, A): 8_413, (D, C): 37_857, (D, E): 6_730, (B, D): 35_000}
    await recovered(house, default, 53_000)
    await restored(house)
    assert await owing(house) == {(B, D): 35_000}
    await proved(house)
