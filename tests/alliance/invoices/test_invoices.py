"""Invoices beside statements: what they come to, their numbers, their tax (A6, A9)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text, update

from alliance.invoices import queries
from alliance.invoices.commands import Recorded, issue, issue_due, record
from alliance.invoices.errors import AlreadyRecorded
from alliance.invoices.interest import charge_late
from alliance.invoices.model import Invoice, LateInterest
from alliance.invoices.rules import Sum, days_late, documents, interest, total
from alliance.invoices.verify import CHECKS
from alliance.settlement.model import Payment, SettlementCycle
from domain.base import new_id
from domain.errors import InvalidInput
from domain.events.model import HeldJob
from tests.alliance.invoices.support import invoicing
from tests.alliance.support import NOON, WHO, House, days
from workers.actors.settlement import settle

FUEL = {"taxRate": "0.21", "taxId": "NL003", "address": "Main Street 1", "prefix": "FU-"}


def line(kind: str, amount: int) -> Sum:
    return Sum(kind, amount < 0, "GRO", None, 0, 1, amount)


def test_a06_an_invoice_is_rounded_once_and_tax_is_a_line_of_its_own() -> None:
    lines = [line("SPEND", 280_505_000), line("FEE", 4_000), line("INTEREST", 1_000_000), line("SPEND", -5_000)]
    invoice, credit = documents([*lines, line("SPEND", 0)])
    assert (invoice, credit) == (lines[:3], lines[3:])
    found = total(invoice, 210_000, 10_000)
    # Interest is no supply: 21 % of 280.509 is 58.90689.
    assert (found.exact, found.net, found.tax, found.gross) == (281_509_000, 28_151, 5_891, 34_042)
    assert total([line("SPEND", 125_000)], 1_000_000, 10_000).tax == 12
    assert total(credit, 210_000, 10_000).gross == 0


def test_a06_interest_is_simple_by_days_late_and_half_even() -> None:
    assert interest(1_000_000_000, 10, 80_000, 365) == 2_191_781
    assert interest(1_000_000_000, 10, 80_000, 360) == 2_222_222
    assert [interest(amount, 1, 182_500, 365) for amount in (1_000, 3_000, 5_000)] == [0, 2, 2]
    zone = ZoneInfo("America/New_York")
    due = datetime(2017, 6, 16, 4, tzinfo=UTC)
    days = [(due + timedelta(hours=hours)).astimezone(zone).date() for hours in (-1, 0, 23, 24)]
    assert [days_late(day, due, zone) for day in days] == [0, 1, 1, 2]


@pytest.fixture
async def confirmed(house: House) -> SettlementCycle:
    """Fuel owes grocer 90.009; grocer owes fuel 5.40 and 3.20. The 5.40 are taken back in the cycle after it."""
    await invoicing(house, {"rate": "0.08"}, fuel=FUEL, grocer={"prefix": "GRO/"})
    ann = await house.member()
    await house.earn(ann, "fuel", 10_001)
    spent = await house.spend(ann, "fuel", 600)
    await house.use(ann, await house.quote(ann, points_out=400))
    cycle = await house.through(await house.close(NOON + days(1)), "confirm_statement")
    await house.reverse(ann, spent)
    return cycle


async def issued(house: House, day: int = 2) -> int:
    async with house.runtime.database.transaction() as session:
        return await issue_due(session, house.runtime.catalogue.alliance, NOON + days(day))


async def all_of(house: House) -> list[tuple[object, ...]]:
    async with house.runtime.database.session() as session:
        found = await session.scalars(select(Invoice).order_by(Invoice.issuer_id, Invoice.serial))
        names = ("kind", "number", "exact", "net", "tax", "gross")
        return sorted((house.code(row.issuer_id), *(getattr(row, name) for name in names)) for row in found)


async def test_a09_invoices_are_what_was_stated_and_numbered_without_gaps(
    house: House, confirmed: SettlementCycle
) -> None:
    assert await issued(house) == 2
    first = [
        ("fuel", "INVOICE", "FU-000001", 8_600_000, 860, 181, 1_041),
        ("grocer", "INVOICE", "GRO/000001", 90_009_000, 9_001, 0, 9_001),
    ]
    assert await all_of(house) == first
    assert await issued(house) == 0
    async with house.runtime.database.transaction() as session:
        both = [house.id("fuel"), house.id("grocer")]
        assert await issue(session, house.runtime.catalogue.alliance, confirmed.id, NOON + days(3), both) == 0
    assert [line for line in await house.owed() if line[0] == "TAX"] == [("TAX", "grocer", "fuel", 0, "1.810000")]

    second = await house.close(NOON + days(8))
    await house.step("net_cycle", confirmed)
    await house.through(second, "confirm_statement")
    assert await issued(house, 9) == 1
    # The return takes 5.40 back, and its tax; the tax on the first invoice is not taxed again.
    assert await all_of(house) == [
        ("fuel", "CREDIT_NOTE", "FU-000002", -5_400_000, -540, -113, -653),
        *first,
    ]
    async with house.runtime.database.session() as session:
        (matched,) = await queries.matches(session, [(second.id, house.id("fuel"), house.id("grocer"))])
        row = await queries.by_id(session, (await queries.page(session, queries.Sought(), 1))[0].id)
        assert row is not None
        (told,) = (await queries.lines(session, [row.id]))[row.id]
    assert (matched.stated, matched.invoiced, matched.difference) == (-5_400_000, -5_400_000, 0)
    assert matched.tax_stated == 1_810_000
    assert matched.opening + matched.stated + matched.tax_stated - matched.set_off == (
        matched.net * 10_000 + matched.carried + matched.suspended
    )
    assert (told.kind, told.adjustment, told.points, told.price) == ("SPEND", True, -600, 900_000)
    assert row.issuer == {"code": "fuel", "name": "Fuel", "taxId": "NL003", "address": "Main Street 1"}
    assert (row.recipient, row.due_on) == ({"code": "grocer", "name": "Grocer"}, date(2017, 6, 16))


async def test_a09_what_was_stated_invoiced_and_paid_is_compared(house: House, confirmed: SettlementCycle) -> None:
    await issued(house)
    key = (confirmed.id, house.id("grocer"), house.id("fuel"))
    told = Recorded(*key, " G-77 ", date(2017, 6, 3), net=9_000, tax_rate=0, tax=0, gross=9_000)
    async with house.runtime.database.transaction() as session:
        await record(session, told, who=WHO, as_of=NOON)
    for wrong, refusal in ((told, AlreadyRecorded), (Recorded(key[0], key[1], key[1], *_rest(told)), InvalidInput)):
        with pytest.raises(refusal):
            async with house.runtime.database.transaction() as session:
                await record(session, wrong, who=WHO, as_of=NOON)
    for last, unpaid in (("net_cycle", 8_141), ("settle_cycle", 8_141), ("record_receipts", 0)):
        await house.step(last, confirmed)
        async with house.runtime.database.session() as session:
            (match,) = await queries.matches(session, [key])
        assert (match.stated, match.invoiced, match.set_off) == (90_009_000, 90_009_000, 8_600_000)
        assert (match.net, match.carried, match.unpaid) == (8_141, -1_000, unpaid)
        assert [row.number for row in match.recorded] == ["G-77"]
    async with house.runtime.database.session() as session:
        assert await queries.directions(session, confirmed.id) == sorted([key, (key[0], key[2], key[1])])


def _rest(told: Recorded) -> tuple[object, ...]:
    return told.number, told.issued_on, told.net, told.tax_rate, told.tax, told.gross


async def test_a06_what_is_paid_late_costs_interest_once(house: House, confirmed: SettlementCycle) -> None:
    netted = await house.step("net_cycle", confirmed, as_of=NOON + days(2))
    assert netted.payments_due is not None
    await house.step("settle_cycle", confirmed)
    late = netted.payments_due + days(9)
    await house.step("record_receipts", confirmed, as_of=late)
    for _ in range(2):
        async with house.runtime.database.transaction() as session:
            await charge_late(session, house.runtime.catalogue.alliance, late)
    # 81.41 that comes ten days late, at 8 %.
    assert [row for row in await house.owed() if row[0] == "INTEREST"] == [
        ("INTEREST", "fuel", "grocer", 0, "0.178433")
    ]
    async with house.runtime.database.session() as session:
        row = (await session.scalars(select(LateInterest))).one()
        assert (row.principal, row.days, row.rate, row.basis, row.amount) == (81_410_000, 10, 80_000, 365, 178_433)
        assert await queries.late_interest(session, confirmed.id, house.id("grocer")) == [row]
        assert await queries.late_interest(session, confirmed.id, house.id("operator")) == []


async def test_a09_who_begins_to_invoice_here_begins_with_what_is_not_settled(house: House) -> None:
    member = await house.member()
    for _ in range(2):
        await house.earn(member, "fuel", 10_000)
        settled = await house.through(await house.close())
    assert settled.status == "SETTLED"
    await invoicing(house, grocer={})
    assert await issued(house) == 0
    await house.earn(member, "fuel", 10_000)
    await house.through(await house.close(), "confirm_statement")
    assert await issued(house) == 1
    assert [row[2] for row in await all_of(house)] == ["GROCER-000001"]


async def test_a06_what_came_in_time_and_was_told_late_costs_nothing(house: House, confirmed: SettlementCycle) -> None:
    netted = await house.step("net_cycle", confirmed, as_of=NOON + days(2))
    assert netted.payments_due is not None
    await house.step("settle_cycle", confirmed)
    late = netted.payments_due + days(9)
    await house.step("record_receipts", confirmed, as_of=late)
    async with house.runtime.database.transaction() as session:
        await session.execute(update(Payment).values(received_on=(netted.payments_due - days(1)).date()))
        assert await charge_late(session, house.runtime.catalogue.alliance, late) == 0
    assert [row for row in await house.owed() if row[0] == "INTEREST"] == []


async def test_a09_what_is_due_is_issued_by_the_calendar(house: House, confirmed: SettlementCycle) -> None:
    job = HeldJob(new_id(), {"as_of": (NOON + days(2)).isoformat()}, 1)
    async with house.runtime.database.transaction() as session:
        for _ in range(2):
            assert await settle(house.runtime, session, [job]) == {}
    assert [row[2] for row in await all_of(house)] == ["FU-000001", "GRO/000001"]


async def test_a09_verify_sees_an_invoice_that_is_not_the_statement(house: House, confirmed: SettlementCycle) -> None:
    await issued(house)
    found = set()
    for damage in (
        "UPDATE invoice SET exact = exact + 1",
        "UPDATE invoice SET serial = 7",
        "UPDATE invoice SET tax = tax + 1, gross = gross + 1",
        "UPDATE invoiced_cycle SET documents = 2",
    ):
        async with house.runtime.database.session() as session:
            await session.execute(text(damage))
            for name, sql in CHECKS.items():
                if (await session.execute(text(sql.format(unit="10000::numeric")))).first() is not None:
                    found.add(name)
    assert found >= {*CHECKS} - {
        "interest that is owed is on a late payment",
        "interest is its rate's, on what was paid late",
    }
