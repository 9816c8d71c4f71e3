"""A pay-in that is missing (A12): declared, covered in order, borne by the survivors, and paid later after all."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from alliance.defaults.deposits import Deposit
from alliance.defaults.errors import DefaultNotRepaid, GraceNotOver, PayInNotMissing
from alliance.defaults.recovering import restore
from alliance.settlement.errors import WrongCycleStatus
from domain.events.model import Event
from tests.alliance.defaults.support import (
    ABOUT,
    LATE,
    A,
    B,
    C,
    D,
    E,
    at,
    bring,
    declared,
    held,
    owing,
    payments,
    proved,
    recovered,
    settling,
    shares,
)
from tests.alliance.settlement.test_cycles import owe, positions
from tests.alliance.support import House


async def restored(house: House) -> None:
    async with house.runtime.database.transaction() as session:
        alliance = house.runtime.catalogue.alliance
        await restore(session, alliance, D, who=ABOUT.who, why="paid", as_of=LATE)
    await house.runtime.refresh()


async def test_a12_the_worked_figures_as_booked(house: House) -> None:
    """D does not pay 280, of which its collateral covers 100: A bears 28.57, C 128.57, E 22.86."""
    cycle = await settling(house)
    assert await positions(house, cycle) == {
        A: (15_000, 15_000),
        B: (-30_000, -30_000),
        C: (40_000, 40_000),
        D: (-28_000, -28_000),
        E: (3_000, 3_000),
    }
    await bring(house, D, Deposit.COLLATERAL, 10_000)
    default = await declared(house, cycle)
    assert await shares(house, default) == {A: (2_857, 0, 0), C: (12_857, 0, 0), E: (2_286, 0, 0)}
    assert (default.debts, default.claims, default.missing, default.loss) == (63_000, 35_000, 28_000, 18_000)
    plan = await payments(house, cycle)
    paid = [row for row in plan if row[0] == D and row[3] == "PAID"]
    moved = [row for row in plan if row[0] == D and row[3] == "MOVED"]
    assert (sum(row[2] for row in paid), sum(row[2] for row in moved)) == (10_000, 18_000)
    assert {row[3] for row in plan if row[0] == B} == {"PLANNED"}
    assert await held(house) == {}
    await proved(house)
    cycle = await house.step("record_receipts", cycle, as_of=LATE)
    assert cycle.status == "SETTLED"
    assert {open_ for _, open_ in (await positions(house, cycle)).values()} == {0}
    owed = await owing(house)
    assert {party: owed.get((D, party)) for party in (A, C, E)} == {A: 2_857, C: 12_857, E: 2_286}
    for party, bears in ((A, 2_857), (C, 12_857), (E, 2_286)):
        unpaid = sum(row[2] for row in moved if row[1] == party)
        evens = sum(c for (debtor, creditor), c in owed.items() if debtor == party and creditor != D)
        got = sum(c for (debtor, creditor), c in owed.items() if creditor == party and debtor != D)
        assert unpaid + evens - got == bears
    await proved(house)


async def test_a12_what_is_deposited_goes_first_and_comes_back_last(house: House) -> None:
    cycle = await settling(house)
    for party, account, cents in (
        (D, Deposit.COLLATERAL, 10_000),
        (D, Deposit.FUND, 3_000),
        (A, Deposit.FUND, 4_000),
        (B, Deposit.FUND, 2_000),
        (C, Deposit.FUND, 50_000),
    ):
        await bring(house, party, account, cents)
    default = await declared(house, cycle)
    assert (default.collateral, default.own_fund, default.fund, default.loss) == (10_000, 3_000, 15_000, 0)
    assert await shares(house, default) == {A: (0, 1_071, 0), B: (0, 536, 0), C: (0, 13_393, 0)}
    assert {row[3] for row in await payments(house, cycle) if row[0] == D} == {"PAID"}
    with pytest.raises(DefaultNotRepaid) as refused:
        await restored(house)
    assert refused.value.data == {"missing": "150.00"}
    await recovered(house, default, 15_000)
    await recovered(house, default, 13_500)
    lies = await held(house)
    assert lies == {
        ("COLLATERAL", D): 10_000,
        ("FUND", D): 3_000,
        ("FUND", A): 4_000,
        ("FUND", B): 2_000,
        ("FUND", C): 50_000,
        ("UNAPPLIED", D): 500,
        ("BANK", house.id("operator")): 69_500,
    }
    await restored(house)
    await proved(house)


async def test_a12_the_return(house: House) -> None:
    """What comes later goes to survivors in proportion; its accounts are left out of netting until it is restored."""
    cycle = await settling(house)
    default = await declared(house, cycle)
    assert (await shares(house, default))[C] == (20_000, 0, 0)
    await house.step("record_receipts", cycle, as_of=LATE)
    await owe(house, [(D, A, 10_000), (B, D, 4_000), (B, A, 7_000)])
    second = await house.through(await house.close(LATE), "net_cycle")
    places = await positions(house, second)
    assert D not in {party for party, (amount, _) in places.items() if amount}
    assert places[B][0] == -7_000
    await proved(house)
    await house.step("settle_cycle", second, as_of=LATE)
    await house.step("record_receipts", second, as_of=LATE)
    await recovered(house, default, 6_300)
    assert await shares(house, default) == {A: (4_444, 0, 1_000), C: (20_000, 0, 4_500), E: (3_556, 0, 800)}
    with pytest.raises(DefaultNotRepaid):
        await restored(house)
    await recovered(house, default, 21_700)
    assert {bears == repaid for bears, _, repaid in (await shares(house, default)).values()} == {True}
    await restored(house)
    await proved(house)
    owed = await owing(house)
    assert (owed[D, A], owed[B, D]) == (10_000, 4_000)
    third = await house.through(await house.close(LATE), "net_cycle")
    assert (await positions(house, third))[D] == (-6_000, -6_000)
    await proved(house)


async def test_a12_its_claims_are_withheld(house: House) -> None:
    """Of another cycle that is being settled: it is not paid what it is owed there until it is restored."""
    first = await settling(house)
    await owe(house, [(A, D, 5_000)])
    second = await house.through(await house.close(), "settle_cycle")
    default = await declared(house, first)
    assert await payments(house, second) == [(A, D, 5_000, "HELD")]
    await house.step("record_receipts", first, as_of=LATE)
    await proved(house)
    await recovered(house, default, 28_000)
    await restored(house)
    await proved(house)


async def test_a12_only_what_is_missing_after_grace(house: House) -> None:
    cycle = await settling(house)
    with pytest.raises(GraceNotOver) as early:
        await declared(house, cycle, about=replace(ABOUT, as_of=at(9)))
    assert early.value.data["until"] == "2017-06-10T04:00:00+00:00"
    with pytest.raises(PayInNotMissing):
        await declared(house, cycle, A)
    await house.step("record_receipts", cycle, as_of=LATE)
    with pytest.raises(WrongCycleStatus):
        await declared(house, cycle)


async def test_a12_two_who_declare_at_once(house: House) -> None:
    cycle = await settling(house)
    await bring(house, D, Deposit.COLLATERAL, 10_000)
    found = await asyncio.gather(declared(house, cycle), declared(house, cycle), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["MerchantDefault", "PayInNotMissing"]
    assert await house.count("merchant_default") == 1
    await proved(house)


async def test_a12_a_crash_at_any_step_leaves_nothing(house: House) -> None:
    """All of it is one transaction: here each table that it writes refuses in turn."""
    cycle = await settling(house)
    await bring(house, D, Deposit.COLLATERAL, 10_000)
    before = await payments(house, cycle)
    await _execute(house, "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'crash'; END $$")
    for table in ("default_share", "money_entry", "payment", "obligation", "net_position", "event"):
        await _execute(house, f"CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION fail()")
        with pytest.raises(DBAPIError, match="crash"):
            await declared(house, cycle)
        await _execute(house, f"DROP TRIGGER fail ON {table}")
        assert await payments(house, cycle) == before
        assert await held(house) == {("COLLATERAL", D): 10_000, ("BANK", house.id("operator")): 10_000}
        assert (await house.count("merchant_default"), await house.count("freeze_step")) == (0, 0)
    await declared(house, cycle)
    await proved(house)


async def _execute(house: House, statement: str) -> None:
    async with house.runtime.database.transaction() as session:
        await session.execute(text(statement))


async def test_a12_a14_each_hears_of_its_own_loss(house: House) -> None:
    cycle = await settling(house)
    await declared(house, cycle)
    async with house.runtime.database.session() as session:
        rows = (await session.scalars(select(Event).where(Event.kind == "DEFAULT_BORNE"))).all()
    assert {tuple(row.seen_by): row.data["loss"] for row in rows} == {
        (str(A),): "44440000",
        (str(C),): "200000000",
        (str(E),): "35560000",
    }


async def test_a12_a_second_cycle_of_the_same_merchant(house: House) -> None:
    """What was planned before it was declared is missing as well, and is declared by itself."""
    first = await settling(house)
    await owe(house, [(D, B, 2_000)])
    second = await house.through(await house.close(), "settle_cycle")
    await declared(house, first)
    more = await declared(house, second)
    assert (more.missing, await shares(house, more)) == (2_000, {B: (2_000, 0, 0)})
    await proved(house)
