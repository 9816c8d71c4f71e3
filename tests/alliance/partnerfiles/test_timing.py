"""Lines near a cut-off: matched when what they wait for comes, breaks after two cut-offs; files that are late (A11)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from alliance.partnerfiles.missing import due_files, tell_missing
from alliance.partnerfiles.timing import look_again
from tests.alliance.partnerfiles.support import MINE, came, declare, receive, reconciled, refused, written
from tests.alliance.support import NOON, House, days

Row = tuple[Any, ...]


def _row(key: str, order: str, points: int = 1000, day: str = "2017-06-01") -> Row:
    return key, order, day, f"{-points * 0.009:.6f}", points


async def _sell(house: House, *orders: str) -> None:
    member = await house.member()
    for order in orders:
        await house.earn(member, "fuel", 1000, order_ref=order)


async def _look(house: House, as_of: datetime) -> tuple[int, int]:
    async with house.runtime.database.transaction() as session:
        return await look_again(session, as_of)


async def test_a11_a_line_of_the_next_cycle_is_timing_until_that_is_closed(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sell(house, "o1")
    first = await house.close(NOON + days(1))
    await _sell(house, "o2")
    found = await reconciled(house, written([_row("k1", "o1"), _row("k2", "o2")]), first, mapping="books")
    assert found.found == {("TIMING", "o2"): 1}
    assert await _look(house, NOON + days(2)) == (0, 0)
    second = await house.close(NOON + days(2))
    assert await house.count("job WHERE actor = 'partner_timing'") == 1
    assert await _look(house, NOON + days(2)) == (1, 0)
    (timing,) = (await came(house, found.file.id)).breaks
    assert (timing.status, timing.outcome, timing.why) == ("MATCHED", "TIMING", "in cycle 2")
    # In the next file it is not missing, and told again it is there twice.
    again = await reconciled(house, written([]), second, mapping="books", key="empty")
    assert (again.outcomes, again.breaks) == ({"TIMING": (0, 1)}, [])
    twice = await reconciled(house, written([_row("k2", "o2")]), second, mapping="books", key="twice")
    assert twice.found == {("DUPLICATE", "o2"): 1}


async def test_a11_a_line_that_came_a_cycle_later_closes_what_was_missing(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sell(house, "o1", "o2")
    first = await house.close(NOON + days(1))
    missing = await reconciled(house, written([_row("k1", "o1"), _row("k3", "o3")]), first, mapping="books")
    assert missing.found == {("MISSING_THERE", "o2"): 1, ("MISSING_HERE", "o3"): 1}
    await _sell(house, "o3")
    second = await house.close(NOON + days(2))
    later = await reconciled(house, written([_row("k2", "o2")]), second, mapping="books", as_of=NOON + days(3))
    assert later.outcomes == {"TIMING": (1, 1)}
    assert [one.status for one in later.breaks] == ["MATCHED"]
    assert [(one.order_ref, one.status) for one in (await came(house, missing.file.id)).breaks] == [
        ("o3", "MATCHED"),
        ("o2", "MATCHED"),
    ]


async def test_a11_what_was_booked_late_is_found_when_its_cycle_closes_without_a_file(house: House) -> None:
    declare(house, "fuel", MINE)
    await _sell(house, "o1")
    first = await house.close(NOON + days(1))
    found = await reconciled(house, written([_row("k1", "o1"), _row("k2", "o2")]), first, mapping="books")
    await _sell(house, "o2")
    await house.close(NOON + days(2))
    assert await _look(house, NOON + days(2)) == (1, 0)
    (one,) = (await came(house, found.file.id)).breaks
    assert (one.status, one.ours, one.operation_id is None) == ("MATCHED", -9_000_000, False)


async def test_a11_timing_is_a_break_after_two_cut_offs(house: House) -> None:
    declare(house, "fuel", MINE | {"cutOffDays": 2})
    await _sell(house, "o1", "o2")
    first = await house.close(NOON + days(1))
    rows = [_row("k1", "o1"), _row("k3", "o3"), _row("k4", "o4", day="2017-05-20")]
    found = await reconciled(house, written(rows), first, mapping="books")
    # What is dated in the last two days may still come, on either side.
    assert found.found == {("TIMING", "o2"): 1, ("TIMING", "o3"): 1, ("MISSING_HERE", "o4"): 1}
    assert {one.due_at is None for one in found.breaks if one.outcome == "TIMING"} == {False}
    await house.close(NOON + days(2))
    assert await _look(house, NOON + days(2)) == (0, 0)
    await house.close(NOON + days(3))
    assert await _look(house, NOON + days(3)) == (0, 2)
    breaks = (await came(house, found.file.id)).breaks
    assert {(one.outcome, one.order_ref, one.status) for one in breaks} == {
        ("MISSING_THERE", "o2", "OPEN"),
        ("MISSING_HERE", "o3", "OPEN"),
        ("MISSING_HERE", "o4", "OPEN"),
    }
    assert {one.due_at for one in breaks} == {None}


async def test_a11_a_file_that_does_not_come_is_told_of_once(house: House) -> None:
    declare(house, "fuel", MINE | {"schedule": {"every": "cycle", "within": {"business": 1}, "at": "12:00"}})
    await _sell(house, "o1")
    cycle = await house.close(datetime(2017, 6, 2, 22, tzinfo=UTC))  # a Friday
    catalogue = house.runtime.catalogue

    async def told(as_of: datetime) -> list[str]:
        async with house.runtime.database.transaction() as session:
            return [one.mapping for one in await tell_missing(session, catalogue, as_of)]

    monday = datetime(2017, 6, 5, 12, tzinfo=catalogue.merchants["fuel"].timezone)
    assert await told(monday - timedelta(minutes=1)) == []
    assert await told(monday) == ["books"]
    assert await told(monday + days(1)) == []
    async with house.runtime.database.reader() as session:
        query = text("SELECT data, seen_by FROM event WHERE kind = 'PARTNER_FILE_MISSING'")
        ((data, seen_by),) = (await session.execute(query)).all()
    assert (data["mapping"], data["day"], seen_by) == ("books", "2017-06-02", [str(house.id("fuel"))])
    assert cycle.number == 1


async def test_a11_a_file_that_came_is_not_missing_but_one_that_was_refused_is(house: House) -> None:
    declare(house, "fuel", MINE | {"schedule": {"every": "cycle"}})
    await _sell(house, "o1")
    cycle = await house.close(NOON + days(1))
    as_of = NOON + days(3)
    await refused(house, b"no such columns", cycle, mapping="books")
    async with house.runtime.database.transaction() as session:
        await session.execute(text("UPDATE partner_file SET status = 'REFUSED'"))
        assert len(await tell_missing(session, house.runtime.catalogue, as_of)) == 1
        await session.rollback()
    await reconciled(house, written([_row("k1", "o1")]), cycle, mapping="books")
    async with house.runtime.database.transaction() as session:
        assert await tell_missing(session, house.runtime.catalogue, as_of) == []


@pytest.mark.parametrize(("every", "expected"), [("day", 7), ("business_day", 4)])
def test_files_of_days_are_due_for_each(house: House, every: str, expected: int) -> None:
    declare(house, "fuel", MINE | {"schedule": {"every": every}})  # a week with a holiday
    assert len(list(due_files(house.runtime.catalogue, [], NOON))) == expected


async def test_the_same_content_under_one_key_is_one_file(house: House) -> None:
    first, again = await receive(house, b"a", key="x"), await receive(house, b"a", key="x")
    other, changed = await receive(house, b"a", key="y"), await receive(house, b"b", key="x")
    assert first.id == again.id
    assert len({first.id, other.id, changed.id}) == 3
    assert await house.count("partner_file_part") == 3
