"""The journal of all books: an outside tool adds them up again and comes to what is kept (A13, A6, R26)."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from beancount import loader
from beancount.core.data import Balance, Open, Transaction
from sqlalchemy import func, select, text

from alliance.disputes.commands import object_to_lines
from alliance.disputes.life import Move
from alliance.disputes.model import ObjectionReason
from alliance.disputes.rules import Objected
from alliance.journal.export import Format, journal, require_days
from alliance.journal.names import commodity, component
from alliance.liability.closing import close_months
from alliance.liability.model import LiabilityCohort, LiabilityMonth
from alliance.treasury.commands import post
from alliance.treasury.model import MoneyAccount
from domain.errors import InvalidInput
from tests.alliance.disputes.test_deciding import Desk, unknown
from tests.alliance.support import NOON, WHO, House, days


async def written(house: House, format_: Format = "beancount", **span: Any) -> str:
    """The journal as it is now."""
    return b"".join(
        [part async for part in journal(house.runtime.database, house.runtime.catalogue, format_, **span)]
    ).decode()


def checked(told: str) -> tuple[list[Any], dict[str, Decimal]]:
    """Its directives, and what each balance says: beancount finds nothing wrong."""
    entries, errors, _ = loader.load_string(told)
    assert errors == [], errors
    return entries, {one.account: one.amount.number for one in entries if isinstance(one, Balance)}


@pytest.fixture
async def history(house: House) -> House:
    """Two cycles: one settled, one stated with a line under objection; and what the open one holds."""
    ann, bob = await house.member(), await house.member()
    await house.earn(ann, "fuel", 10_001, order_ref="f-1", store="1")  # fuel owes grocer 90.009
    sold = await house.earn(bob, "fuel", 333)
    await house.spend(ann, "fuel", 600)  # grocer owes fuel 5.40
    await house.use(ann, await house.quote(ann, points_out=400))
    await house.reverse(bob, sold)
    await house.through(await house.close(NOON + days(1)))
    await house.earn(bob, "grocer", 70)
    await house.earn(bob, "fuel", 1_111)
    await house.earn(bob, "fuel", 100, order_ref="f-7")
    stated = await house.step("issue_statements", await house.close(NOON + days(8)), as_of=NOON + days(8))
    objected = next(line for line in await house.obligations() if line.order_ref == "f-7")
    place = (objected.holder_id, objected.operation_id, objected.seq)
    async with house.runtime.database.transaction() as session:
        await object_to_lines(
            session,
            house.runtime.catalogue.alliance,
            stated.id,
            [Objected(place, ObjectionReason.WRONG_AMOUNT, expected=1)],
            merchant_id=house.id("fuel"),
            who=house.id("fuel"),
            as_of=NOON + days(8),
        )
    await house.earn(ann, "fuel", 17)
    async with house.runtime.database.transaction() as session:
        paid_in = [
            (MoneyAccount.BANK, house.id("operator"), 10_000),
            (MoneyAccount.COLLATERAL, house.id("fuel"), -10_000),
        ]
        await post(session, kind="COLLATERAL_IN", entries=paid_in, who=WHO, why="test", as_of=NOON)
    for months in (1, 2):
        async with house.runtime.database.transaction() as session:
            assert await close_months(session, house.runtime.catalogue, NOON + days(31 * months))
    return house


async def test_a13_journal_is_added_up_by_an_outside_tool_to_what_we_keep(history: House) -> None:
    entries, balances = checked(await written(history))
    async with history.runtime.database.session() as session:
        points = await session.scalar(text("SELECT sum(remaining) FROM lot WHERE currency = 'GRO'"))
        last = select(func.max(LiabilityMonth.month)).scalar_subquery()
        figures = select(LiabilityCohort.currency, func.sum(LiabilityCohort.deferred)).group_by(
            LiabilityCohort.currency
        )
        deferred = dict((await session.execute(figures.where(LiabilityCohort.month == last))).all())
        owed = dict((await session.execute(text("SELECT merchant_id, owed FROM exposure"))).all())
    assert balances["Liabilities:Points:Grocer:GRO:Active"] == -points
    assert deferred["GRO"] > 0
    assert balances["Liabilities:Deferred:Grocer:GRO"] == -Decimal(deferred["GRO"]).scaleb(-6)
    # In the second month nothing moved.
    (booked,) = [one for one in entries if isinstance(one, Transaction) and one.narration == "Deferred for GRO"]
    assert "Income:Deferred:Grocer:GRO:Funding" in {posting.account for posting in booked.postings}
    for code in ("Fuel", "Grocer"):
        assert balances[f"Assets:Merchants:{code}"] == -Decimal(owed[history.id(code.lower())]).scaleb(-6)
        assert balances[f"Assets:Merchants:{code}:Netted"] == 0
    assert balances["Liabilities:Treasury:Collateral:Fuel"] == -balances["Assets:Treasury:Bank:Demo"] == -100
    assert balances["Assets:Merchants:Grocer:Suspense:Fuel"] == Decimal("0.9")
    assert balances["Assets:Merchants:Grocer:Pairs:Fuel"] == -balances["Assets:Merchants:Fuel:Pairs:Grocer"]
    # 90.009 less 5.40 and 3.20 is 81.409: 81.41 is paid, and so 0.001 less than nothing is carried on.
    assert balances["Assets:Merchants:Grocer:Pairs:Fuel"] == Decimal("-0.001") + Decimal("9.999") + Decimal("0.153")
    moved: dict[tuple[str, str], Decimal] = {}
    for one in entries:
        for posting in one.postings if isinstance(one, Transaction) else ():
            key = (posting.account, posting.units.currency)
            moved[key] = moved.get(key, Decimal()) + posting.units.number
    assert moved["Assets:Bank:Grocer", "USD"] == Decimal("81.41") == -moved["Assets:Bank:Fuel", "USD"]
    assert moved["Equity:Points:Grocer:GRO:Redemption", "GRO"] == -600
    assert moved["Income:Merchants:Grocer:Earn", "USD"] == -moved["Expenses:Merchants:Fuel:Earn", "USD"]


async def test_a13_journal_of_some_days_begins_with_what_was_brought_forward(history: House) -> None:
    async with history.runtime.database.session() as session:
        days_of = "SELECT DISTINCT (booked_at AT TIME ZONE 'America/New_York')::date FROM operation ORDER BY 1"
        days_booked = [day for (day,) in await session.execute(text(days_of))]
    today = days_booked[-1]
    _, all_ = checked(await written(history))
    entries, later = checked(await written(history, first=today + timedelta(days=1)))
    assert later == all_
    assert {one.date for one in entries if isinstance(one, Transaction)} == {today}
    assert all(one.narration.startswith("Brought") for one in entries if isinstance(one, Transaction))
    entries, earlier = checked(await written(history, last=days_booked[0] - timedelta(days=1)))
    # Payments alone are dated by the clock of the call.
    assert {account for account, amount in earlier.items() if amount} <= {
        f"Assets:Merchants:{code}{part}" for code in ("Fuel", "Grocer") for part in ("", ":Netted")
    } | {"Liabilities:Deferred:Grocer:GRO", "Liabilities:Deferred:Fuel:FUE"}
    with pytest.raises(InvalidInput):
        require_days(today, today - timedelta(days=1))


async def test_a10_journal_suspense_comes_back_to_zero(house: House) -> None:
    desk = await Desk.stated(house)
    (dispute,) = await desk.object(unknown(desk.places[3]))
    suspense, pair = "Assets:Merchants:Fuel:Suspense:Grocer", "Assets:Merchants:Fuel:Pairs:Grocer"
    _, balances = checked(await written(house))
    assert (balances[suspense], balances[pair]) == (9, 81)
    await desk.step(dispute, "fuel", Move.ACCEPT)
    _, balances = checked(await written(house))
    assert (balances.get(suspense, 0), balances[pair]) == (0, 81)
    await desk.pay()
    await house.close()
    _, balances = checked(await written(house))
    assert (balances.get(suspense, 0), balances[pair]) == (0, 0)


@pytest.mark.parametrize(
    ("damage", "account"),
    [
        ("UPDATE lot SET remaining = remaining - 1 WHERE currency = 'FUE'", "Liabilities:Points:Fuel:FUE:Active"),
        ("UPDATE account SET posted = posted + 1 WHERE currency = 'FUE'", "Liabilities:Points:Fuel:FUE:Active"),
        ("UPDATE pair_net SET lines = lines + 1 WHERE suspended <> 0", "Assets:Merchants:Fuel:Pairs:Grocer"),
        ("UPDATE exposure SET owed = owed + 1", "Assets:Merchants:Fuel"),
        ("UPDATE money_balance SET balance = balance - 1", "Assets:Treasury:Bank:Demo"),
        (
            "UPDATE liability_cohort SET opening = opening + 1, change = change + 1",
            "Liabilities:Deferred:Grocer:GRO",
        ),
        ("UPDATE entry SET amount = amount + 1 WHERE amount = 1111", "Liabilities:Points:Grocer:GRO:Active"),
    ],
)
async def test_a13_journal_of_wrong_books_does_not_add_up(history: House, damage: str, account: str) -> None:
    async with history.runtime.database.transaction() as session:
        await session.execute(text(damage))
    _, errors, _ = loader.load_string(await written(history))
    assert account in {error.entry.account for error in errors}
    async with history.runtime.database.transaction() as session:
        await session.execute(text(damage.translate(str.maketrans("+-", "-+")).replace("= 1111", "= 1112")))


async def test_a13_journal_as_rows_says_the_same(history: House) -> None:
    _, balances = checked(await written(history))
    found = list(csv.DictReader(io.StringIO(await written(history, "csv"))))
    assert {row["account"]: Decimal(row["amount"]) for row in found if row["type"] == "balance"} == balances
    sums: dict[tuple[str, str], Decimal] = {}
    for row in found:
        if row["type"] == "posting":
            key = (row["number"], row["commodity"])
            sums[key] = sums.get(key, Decimal()) + Decimal(row["amount"])
    assert sums
    assert set(sums.values()) == {0}


def test_a13_journal_names_are_legal_and_no_two_things_share_one() -> None:
    codes = ["grocer", "9-lives", "a_b", "a-b", "a-u-b", "a_", "a_-b", "a-_b", "GRO", "GRO_X"]
    named = [component(code) for code in codes]
    assert len(set(named)) == len(codes)
    counted = [commodity(code, "USD") for code in ("GRO", "GRO_", "USD", "grocer/car_wash", "9-/b-", "A1")]
    assert counted == ["GRO", "X.GRO_.0", "X.USD", "X.GROCER.CAR_WASH", "X.9-.B-.0", "A1"]
    lines = [f"1970-01-01 open Assets:{name} {unit}" for name in named for unit in counted[:1]]
    lines += [f"1970-01-01 commodity {unit}" for unit in counted]
    entries, errors, _ = loader.load_string("\n".join(lines))
    assert errors == []
    assert sum(isinstance(one, Open) for one in entries) == len(codes)
