"""The business calendar: its days and what falls on them, days that are declared, deadlines that are extended (A16)."""

import uuid
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from alliance.approvals.commands import About, Done, Waiting, act_or_ask, approve
from alliance.approvals.errors import SameHands
from alliance.calendar import Calendar
from alliance.deadlines.commands import EXTEND, Declaration, declare
from alliance.deadlines.queries import MOST_DAYS, Day, MarkKind, days, extensions
from alliance.file import export
from alliance.settlement.errors import WrongCycleStatus
from alliance.verify import verify
from domain.errors import InvalidInput
from domain.programs.catalogue import ByHand, CalendarTerms
from tests.alliance.support import NOON, WHO, House
from tests.ledger_support import rows

OTHER = uuid.UUID(int=9)
JULY_5 = date(2017, 7, 5)


async def span(house: House, first: date, last: date) -> dict[date, Day]:
    """The days of a span, by date."""
    async with house.runtime.database.session() as session:
        found = await days(session, house.runtime.catalogue.alliance, first, last, NOON)
    return {day.date: day for day in found}


async def stated(house: House) -> uuid.UUID:
    """A cycle that is stated."""
    ann = await house.member()
    await house.earn(ann, "grocer", 2000)
    await house.spend(ann, "fuel", 2000)
    cycle = await house.close()
    await house.step("issue_statements", cycle)
    return cycle.id


async def ask(house: House, cycle_id: uuid.UUID, until: datetime, deadline: str = "OBJECTIONS") -> Done | Waiting:
    """Ask for an extension."""
    args = {"cycle": str(cycle_id), "deadline": deadline, "until": until.isoformat()}
    about = About(WHO, "their office is flooded", NOON)
    async with house.runtime.database.transaction() as session:
        return await act_or_ask(session, house.runtime, EXTEND, args, amount=None, about=about)


def alone(house: House) -> None:
    """One person extends deadlines."""
    catalogue = house.runtime.catalogue
    by_hand = ByHand(alone=frozenset({EXTEND}))
    house.runtime.catalogue = replace(catalogue, alliance=replace(catalogue.alliance, by_hand=by_hand))


def test_a_day_is_named_in_the_callers_language_and_worked_saturdays_count() -> None:
    china = Calendar.of(CalendarTerms("CN"))
    day = date(2026, 10, 1)
    assert [china.name_of(day, one) for one in ("en", "zh-CN", "fr")] == ["National Day", "国庆节", "国庆节"]
    saturday = date(2026, 10, 10)
    assert (china.is_business_day(saturday), china.name_of(saturday)) == (True, None)
    assert Calendar().name_of(day) is None


async def test_the_calendar_shows_cut_offs_and_deadlines_on_their_days(house: House) -> None:
    cycle_id = await stated(house)
    found = await span(house, date(2017, 5, 29), date(2017, 6, 18))
    marks = {
        day.date.isoformat(): [(one.kind, one.cycle and one.cycle.number) for one in day.marks]
        for day in found.values()
    }
    assert {day: kinds for day, kinds in marks.items() if kinds} == {
        "2017-06-01": [(MarkKind.CUT_OFF, 1)],
        "2017-06-04": [(MarkKind.CUT_OFF, 2)],
        "2017-06-06": [(MarkKind.OBJECTIONS, 1)],
        "2017-06-11": [(MarkKind.CUT_OFF, None)],
        "2017-06-18": [(MarkKind.CUT_OFF, None)],
    }, "midnight is of the day that it ends"
    assert not found[date(2017, 6, 3)].business
    for first, last in ((JULY_5, JULY_5 - timedelta(days=1)), (JULY_5, JULY_5 + timedelta(days=MOST_DAYS))):
        with pytest.raises(InvalidInput, match="1 to 400 days"):
            await span(house, first, last)
    assert cycle_id


async def test_declared_days_are_what_the_alliance_file_says(house: House) -> None:
    runtime = house.runtime
    saturday = date(2017, 6, 3)
    async with runtime.database.transaction() as session:
        await declare(session, Declaration({JULY_5}, {saturday}), why="decreed", as_of=NOON)
    await runtime.refresh()
    assert runtime.catalogue.alliance.calendar.holidays == {JULY_5}
    found = await span(house, saturday, JULY_5)
    assert (found[saturday].business, found[JULY_5].business) == (True, False)
    assert (found[saturday].declared, found[JULY_5].declared) == ("WORKING_DAY", "HOLIDAY")
    async with runtime.database.session() as session:
        text_ = await export(session)
    assert "holidays: [2017-07-05]" in text_
    assert "workingDays: [2017-06-03]" in text_
    async with runtime.database.transaction() as session:
        await declare(session, Declaration((), {JULY_5}, {saturday}), why="no", as_of=NOON)
    await runtime.refresh()
    assert runtime.catalogue.alliance.calendar == CalendarTerms("US", frozenset(), frozenset({JULY_5}))
    for wrong in (Declaration(), Declaration({JULY_5}, {JULY_5})):
        with pytest.raises(InvalidInput, match="each once"):
            async with runtime.database.transaction() as session:
                await declare(session, wrong, why="no", as_of=NOON)
    events = await rows(runtime.database, "SELECT data FROM event WHERE kind = 'CALENDAR_CHANGED' ORDER BY id")
    assert [row["data"].get("workingDays") for row in events] == ["2017-06-03", "2017-07-05"]


async def test_a16_a_deadline_is_extended_by_two_people_with_a_reason(house: House) -> None:
    cycle_id = await stated(house)
    until = NOON + timedelta(days=9)
    waiting = await ask(house, cycle_id, until)
    assert isinstance(waiting, Waiting), "nobody does it alone unless the alliance says so"
    async with house.runtime.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM deadline_extension")) == 0
        with pytest.raises(SameHands):
            await approve(session, house.runtime, waiting.approval_id, About(WHO, "", NOON))
    async with house.runtime.database.transaction() as session:
        await approve(session, house.runtime, waiting.approval_id, About(OTHER, "seen", NOON))
    async with house.runtime.database.session() as session:
        [row] = (await extensions(session, [cycle_id]))[cycle_id]
    assert (row.kind, row.until, row.who, row.approved_by) == ("OBJECTIONS", until, WHO, OTHER)
    assert row.why == "their office is flooded"
    assert row.open_cycle_id not in (None, cycle_id), "a line of the open cycle"
    [told] = await rows(house.runtime.database, "SELECT data FROM event WHERE kind = 'DEADLINE_EXTENDED'")
    assert told["data"]["until"] == until.isoformat()
    assert (await span(house, date(2017, 6, 10), date(2017, 6, 10)))[date(2017, 6, 10)].marks[0].at == until


async def test_a16_only_what_is_still_to_come_is_extended_and_only_to_later(house: House) -> None:
    alone(house)
    cycle_id = await stated(house)
    for until in (NOON, NOON - timedelta(days=1)):
        with pytest.raises(InvalidInput, match="a later moment"):
            await ask(house, cycle_id, until)
    with pytest.raises(WrongCycleStatus):
        await ask(house, cycle_id, NOON + timedelta(days=30), "PAYMENTS")
    for days_on in (9, 12):
        assert isinstance(await ask(house, cycle_id, NOON + timedelta(days=days_on)), Done)
    later = "UPDATE deadline_extension SET until = until + interval '1 day' WHERE seq = {}"
    sooner = later.replace("+", "-")
    connection = await house.runtime.database.connect()
    try:
        found = []
        for seq in (1, 2):
            await connection.execute(later.format(seq))
            async with house.runtime.database.session() as session:
                found.append({one.check for one in (await verify(session)).differences})
            await connection.execute(sooner.format(seq))
    finally:
        await connection.close()
    assert found == [{"a deadline is extended from where it was"}, {"a deadline is what it was extended to"}]
