"""When points end: R3 (end of day), R4 (policies)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.programs.catalogue import ExpiryPolicy
from domain.programs.rules import expiry_instant

NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati", "Europe/Berlin", "America/Sao_Paulo"]


def last_day(policy: ExpiryPolicy, granted: str, zone: ZoneInfo = NEW_YORK) -> date | None:
    """The expiry date of a lot granted at noon of a day."""
    end = expiry_instant(policy, datetime.fromisoformat(f"{granted}T12:00").replace(tzinfo=zone), zone)
    return None if end is None else (end - timedelta(microseconds=1)).astimezone(zone).date()


def rolling(**terms: Any) -> ExpiryPolicy:
    return ExpiryPolicy("rolling", **terms)


@pytest.mark.parametrize(
    ("policy", "granted", "last"),
    [
        (rolling(months=1), "2017-01-31", "2017-02-28"),
        (rolling(months=1), "2016-01-31", "2016-02-29"),
        (rolling(months=12), "2016-02-29", "2017-02-28"),
        (rolling(months=12), "2017-03-15", "2018-03-15"),
        (rolling(days=30), "2017-01-31", "2017-03-02"),
    ],
)
def test_r03_month_arithmetic_clamps(policy: ExpiryPolicy, granted: str, last: str) -> None:
    assert last_day(policy, granted) == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("policy", "last"),
    [
        (rolling(months=6, round_up_to="month"), "2017-11-30"),
        (rolling(months=6, round_up_to="quarter"), "2017-12-31"),
        (rolling(months=2, round_up_to="quarter"), "2017-09-30"),
        (rolling(days=200, round_up_to="year"), "2017-12-31"),
        (rolling(days=365, round_up_to="year"), "2018-12-31"),
        (ExpiryPolicy("fixed", on=date(2019, 6, 30)), "2019-06-30"),
        (ExpiryPolicy("end_of_year"), "2017-12-31"),
        (ExpiryPolicy("end_of_year", years=2), "2019-12-31"),
    ],
)
def test_r04_policies(policy: ExpiryPolicy, last: str) -> None:
    assert last_day(policy, "2017-05-10") == date.fromisoformat(last)


def test_r04_never() -> None:
    assert expiry_instant(ExpiryPolicy("never"), datetime(2017, 1, 1, tzinfo=UTC), NEW_YORK) is None


def test_r03_valid_through_the_end_of_the_day_in_the_zone_of_the_programme() -> None:
    granted = datetime(2017, 3, 2, 3, 0, tzinfo=UTC)
    assert expiry_instant(rolling(days=1), granted, NEW_YORK) == datetime(2017, 3, 3, 5, 0, tzinfo=UTC)
    assert expiry_instant(rolling(days=1), granted, ZoneInfo("UTC")) == datetime(2017, 3, 4, tzinfo=UTC)


def test_r03_a_day_that_summer_time_makes_shorter() -> None:
    granted = datetime(2017, 3, 11, 12, tzinfo=NEW_YORK)
    assert expiry_instant(rolling(days=1), granted, NEW_YORK) == datetime(2017, 3, 13, 4, 0, tzinfo=UTC)


def test_r03_a_zone_in_which_the_next_day_has_no_midnight() -> None:
    sao_paulo = ZoneInfo("America/Sao_Paulo")
    granted = datetime(2017, 10, 13, 12, tzinfo=sao_paulo)
    assert expiry_instant(rolling(days=1), granted, sao_paulo) == datetime(2017, 10, 15, 3, 0, tzinfo=UTC)


moments = st.integers(946_684_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
policies = st.one_of(
    st.builds(
        lambda n, p: rolling(days=n, round_up_to=p), st.integers(1, 2000), st.sampled_from([None, "month", "year"])
    ),
    st.builds(lambda n, p: rolling(months=n, round_up_to=p), st.integers(1, 60), st.sampled_from([None, "quarter"])),
    st.builds(lambda n: ExpiryPolicy("end_of_year", years=n), st.integers(0, 5)),
)


@given(
    policies,
    moments,
    st.sampled_from(ZONES),
)
def test_r03_the_last_valid_moment_lies_on_the_expiry_date(policy: ExpiryPolicy, granted: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    end = expiry_instant(policy, granted, zone)
    assert end is not None
    first, last = end.astimezone(zone), (end - timedelta(microseconds=1)).astimezone(zone)
    assert end > granted
    assert first.date() == last.date() + timedelta(days=1)
    assert last_day(policy, granted.astimezone(zone).date().isoformat(), zone) == last.date()


@given(policies, moments, st.integers(0, 10**6))
def test_r03_a_later_grant_never_ends_sooner(policy: ExpiryPolicy, granted: datetime, seconds: int) -> None:
    sooner, later = (
        expiry_instant(policy, moment, NEW_YORK) for moment in (granted, granted + timedelta(seconds=seconds))
    )
    assert sooner is not None
    assert later is not None
    assert sooner <= later
