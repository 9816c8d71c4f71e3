"""Where days begin and end, in zones whose clocks change: every rule that counts in days, against a search by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from alliance.calendar import Calendar
from domain.programs.catalogue import CycleTerms, Days, ExpiryPolicy
from domain.programs.rules import day_bounds, expiry_instant
from workers.rules import latest_midnight

# Summer time of an hour, of half an hour, and none; of Havana and Sao Paulo, days without midnight, and with two.
ZONES = ["America/New_York", "Australia/Lord_Howe", "Asia/Shanghai", "America/Havana", "America/Sao_Paulo"]
HOUR = timedelta(hours=1)


def utc(moment: datetime | None) -> datetime:
    """Times that a clock shows twice, or never, equal nothing of another zone."""
    assert moment is not None
    return moment.astimezone(UTC)


def first_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant at which clocks in the zone show that day, or a later one: by bisection, to the second."""
    before = datetime(day.year, day.month, day.day, tzinfo=UTC) - 30 * HOUR
    after = before + 60 * HOUR
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        before, after = (before, middle) if middle.astimezone(zone).date() >= day else (middle, after)
    return after.replace(microsecond=0)


def _changes(zone: ZoneInfo) -> list[datetime]:
    """Hours after which clocks changed, and ends of months, of ten years."""
    hours = [datetime(2012, 1, 1, tzinfo=UTC) + n * HOUR for n in range(10 * 8766)]
    return [
        hour
        for hour in hours
        if hour.astimezone(zone).utcoffset() != (hour + HOUR).astimezone(zone).utcoffset()
        or (hour.astimezone(zone).day > 27 and hour.astimezone(zone).hour in (0, 23))
    ]


CHANGES = {name: _changes(ZoneInfo(name)) for name in ZONES}


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone, and a moment within a day of one at which something changes there."""
    name = draw(st.sampled_from(ZONES))
    away = draw(st.just(0) | st.integers(-86_400, 86_400))
    ticks = draw(st.sampled_from([-1, 0, 1]))
    moment = draw(st.sampled_from(CHANGES[name])) + timedelta(seconds=away, microseconds=ticks)
    return ZoneInfo(name), moment


@given(at=moments())
def test_r03_a_day_is_from_its_first_instant_until_the_next(at: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = at
    today = moment.astimezone(zone).date()
    first, before = map(utc, day_bounds(moment, zone))
    assert (first, before) == (first_of(today, zone), first_of(today + timedelta(days=1), zone))
    assert first <= moment < before
    assert latest_midnight(moment, zone) == first


@given(at=moments(), days=st.integers(1, 800))
def test_r03_points_of_so_many_days_end_with_the_last(at: tuple[ZoneInfo, datetime], days: int) -> None:
    zone, granted = at
    last = granted.astimezone(zone).date() + timedelta(days=days)
    ends = expiry_instant(ExpiryPolicy("rolling", days=days), granted, zone)
    assert utc(ends) == first_of(last + timedelta(days=1), zone)


@given(at=moments(), months=st.integers(1, 40))
def test_r03_points_of_so_many_months_end_on_the_day_of_that_number_or_the_last(
    at: tuple[ZoneInfo, datetime], months: int
) -> None:
    zone, granted = at
    last = granted.astimezone(zone).date() + relativedelta(months=months)
    ends = expiry_instant(ExpiryPolicy("rolling", months=months), granted, zone)
    assert utc(ends) == first_of(last + timedelta(days=1), zone)


@given(at=moments(), every=st.sampled_from(["day", "week", "month"]))
def test_a07_cycles_follow_each_other_without_gap(at: tuple[ZoneInfo, datetime], every: Any) -> None:
    """Each ends as a day, a Monday or a first begins; opened then, the next ends a whole one later."""
    zone, opened = at
    days = Days(1, False)
    terms = CycleTerms(every=every, objection=days, payment=days, claim=days, min_payment=0)
    calendar = Calendar()
    cut = utc(calendar.cut_off(opened, terms, zone))
    day = cut.astimezone(zone).date()
    assert opened < cut == first_of(day, zone)
    assert every != "week" or day.weekday() == 0
    assert every != "month" or day.day == 1
    one_more = {"day": timedelta(days=1), "week": timedelta(days=7), "month": relativedelta(months=1)}[every]
    assert utc(calendar.cut_off(cut, terms, zone)) == first_of(day + one_more, zone)
    assert utc(calendar.cut_off(cut - timedelta(microseconds=1), terms, zone)) == cut


@given(at=moments(), count=st.integers(1, 12), business=st.booleans())
def test_a10_a_deadline_is_the_end_of_its_last_day(at: tuple[ZoneInfo, datetime], count: int, business: bool) -> None:
    zone, start = at
    ends = utc(Calendar().deadline(start, Days(count, business), zone))
    last = ends.astimezone(zone).date() - timedelta(days=1)
    assert ends == first_of(last + timedelta(days=1), zone)
    between = (last - start.astimezone(zone).date()).days
    days = [last - timedelta(days=n) for n in range(between)]
    assert count == sum(not business or day.weekday() < 5 for day in days)
    assert not business or last.weekday() < 5


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Europe/London", "2026-03-29", 23),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Shanghai", "2026-03-08", 24),
        ("America/Havana", "2026-11-01", 25),
    ],
)
def test_the_zones_are_what_they_are_taken_for(zone: str, day: str, hours: float) -> None:
    first, before = day_bounds(datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)), ZoneInfo(zone))
    assert utc(before) - utc(first) == timedelta(hours=hours)
