"""Business days, cut-offs and deadlines: in the alliance's zone and by its calendar, returned as instants (A7, A10)."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from alliance.calendar import Calendar, is_known
from domain.programs.catalogue import CalendarTerms, CycleTerms, Days

NEW_YORK = ZoneInfo("America/New_York")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NONE = Calendar()


def cycle(every: str | int, cut_off: str = "00:00") -> CycleTerms:
    """The terms of cycles that long; a number is business days."""
    length = Days(every, True) if isinstance(every, int) else every
    return CycleTerms(length, Days(3, True), Days(5, True), Days(180, False), 0, time.fromisoformat(cut_off))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("region", "day", "expected"),
    [
        (None, "2017-07-04", True),
        (None, "2017-07-08", False),
        ("US", "2017-07-04", False),
        ("US", "2017-07-05", True),
        ("US-OH", "2017-07-04", False),
        ("CN", "2024-10-01", False),
        ("CN", "2024-10-12", True),  # a Saturday that is worked for the National Day week
        ("CN", "2024-10-19", False),
        ("CN", "2026-02-14", True),  # a Saturday before the Spring Festival
        ("CA-QC", "2025-06-24", False),
        ("CA-ON", "2025-06-24", True),
        ("AE", "2017-06-02", False),  # a Friday, when weekends there began on Fridays
    ],
)
def test_a10_business_days_are_those_of_the_region(region: str | None, day: str, expected: bool) -> None:
    assert Calendar(region).is_business_day(date.fromisoformat(day)) is expected


def test_a10_the_alliance_itself_may_say_otherwise() -> None:
    terms = CalendarTerms("US", frozenset({date(2017, 7, 3)}), frozenset({date(2017, 7, 4), date(2017, 7, 8)}))
    calendar = Calendar.of(terms)
    assert [calendar.is_business_day(date(2017, 7, day)) for day in (3, 4, 8, 9)] == [False, True, True, False]
    assert Calendar.of(terms) is calendar


def test_a10_business_days_are_counted_over_weekends_and_holidays() -> None:
    friday, china = date(2017, 6, 30), Calendar("CN")
    assert NONE.add_business_days(friday, 0) == friday
    assert NONE.add_business_days(friday, 2) == date(2017, 7, 4)
    assert Calendar("US").add_business_days(friday, 2) == date(2017, 7, 5)
    # Out of the National Day week of 2024 (1 to 7 October) into a working Saturday.
    assert china.add_business_days(date(2024, 9, 30), 1) == date(2024, 10, 8)
    assert china.add_business_days(date(2024, 10, 11), 1) == date(2024, 10, 12)
    with pytest.raises(ValueError, match="forwards"):
        NONE.add_business_days(friday, -1)


def test_a10_deadlines_end_with_their_last_day() -> None:
    thursday = datetime(2017, 6, 1, 16, tzinfo=UTC)
    assert NONE.deadline(thursday, Days(3, True), NEW_YORK) == datetime(2017, 6, 7, 4, tzinfo=UTC)
    assert NONE.deadline(thursday, Days(3, False), NEW_YORK) == datetime(2017, 6, 5, 4, tzinfo=UTC)
    assert NONE.deadline(thursday, Days(0, False), SHANGHAI) == datetime(2017, 6, 2, 16, tzinfo=UTC)
    found = Calendar("US").deadline(datetime(2017, 6, 30, 16, tzinfo=UTC), Days(2, True), NEW_YORK)
    assert found == datetime(2017, 7, 6, 4, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("every", "opened", "expected"),
    [
        ("day", "2017-03-12T03:00Z", "2017-03-12T05:00Z"),  # the night in which New York's clocks go forward
        ("day", "2017-03-12T05:00Z", "2017-03-13T04:00Z"),
        ("week", "2017-06-01T16:00Z", "2017-06-05T04:00Z"),
        ("week", "2017-06-05T03:59Z", "2017-06-05T04:00Z"),
        ("week", "2017-06-05T04:00Z", "2017-06-12T04:00Z"),
        ("half_month", "2017-06-01T04:00Z", "2017-06-16T04:00Z"),
        ("half_month", "2017-06-16T04:00Z", "2017-07-01T04:00Z"),
        ("month", "2017-01-31T16:00Z", "2017-02-01T05:00Z"),
        ("month", "2017-12-01T16:00Z", "2018-01-01T05:00Z"),
        (5, "2017-06-05T04:00Z", "2017-06-12T04:00Z"),
        (1, "2017-06-30T04:00Z", "2017-07-03T04:00Z"),
        (1, "2017-07-03T04:00Z", "2017-07-05T04:00Z"),  # over Independence Day
    ],
)
def test_a07_cut_offs_lie_at_midnight_in_the_alliances_zone(every: str | int, opened: str, expected: str) -> None:
    found = Calendar("US").cut_off(datetime.fromisoformat(opened), cycle(every), NEW_YORK)
    assert (found, found.tzinfo) == (datetime.fromisoformat(expected), UTC)


@pytest.mark.parametrize(
    ("every", "cut_off", "opened", "expected"),
    [
        ("day", "18:00", "2017-06-01T21:59Z", "2017-06-01T22:00Z"),
        ("day", "18:00", "2017-06-01T22:00Z", "2017-06-02T22:00Z"),
        ("day", "02:30", "2017-03-12T05:00Z", "2017-03-12T07:30Z"),  # skipped: it is 03:30 by then
        ("day", "02:30", "2017-03-12T07:30Z", "2017-03-13T06:30Z"),
        ("day", "01:30", "2017-11-05T04:00Z", "2017-11-05T05:30Z"),  # shown twice: the first counts
        ("day", "01:30", "2017-11-05T05:30Z", "2017-11-06T06:30Z"),
        ("week", "18:00", "2017-06-05T21:00Z", "2017-06-05T22:00Z"),
        ("month", "18:00", "2017-06-01T22:00Z", "2017-07-01T22:00Z"),
        (5, "18:00", "2017-06-02T22:00Z", "2017-06-09T22:00Z"),
    ],
)
def test_a07_a_cut_off_may_lie_within_the_day(every: str | int, cut_off: str, opened: str, expected: str) -> None:
    found = NONE.cut_off(datetime.fromisoformat(opened), cycle(every, cut_off), NEW_YORK)
    assert found == datetime.fromisoformat(expected)


def test_a07_cut_offs_follow_each_other_through_years_of_changing_clocks() -> None:
    for every, most in (("day", 1), ("week", 7), ("half_month", 16), ("month", 31), (5, 12)):
        moment, end = datetime(2016, 1, 4, 8, 30, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
        while moment < end:
            following = Calendar("US").cut_off(moment, cycle(every, "02:30"), NEW_YORK)
            assert 0 < (following - moment).total_seconds() <= most * 86_400 + 3_600
            assert following.minute == 30
            moment = following


def test_regions_that_are_known() -> None:
    assert [is_known(region) for region in ("US", "US-OH", "CN", "CA-QC")] == [True] * 4
    assert [is_known(region) for region in ("ZZ", "US-ZZ", "")] == [False] * 3
