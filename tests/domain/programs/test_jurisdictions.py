"""What a jurisdiction forbids, by the table (L1)."""

from datetime import date

import pytest

from domain.programs.jurisdictions import PROFILES, Profile, forbids_expiry, in_force, profile_of
from domain.programs.terms import ExpiryPolicy

BY_TIME = [
    ExpiryPolicy("rolling", months=24),
    ExpiryPolicy("fixed", on=date(2030, 1, 1)),
    ExpiryPolicy("end_of_year", years=3),
    ExpiryPolicy("anniversary"),
]


@pytest.mark.parametrize(
    ("jurisdiction", "profile"),
    [
        ("CA-ON", "CA-ON"),
        ("CA-QC", "CA-QC"),
        ("CA-BC", "DEFAULT"),
        ("CN", "CN"),
        ("CN-SH", "CN"),
        ("DE", "EU"),
        ("US-OH", "US"),
        ("JP", "DEFAULT"),
    ],
)
def test_l01_a_jurisdiction_has_the_profile_of_its_region_or_country(jurisdiction: str, profile: str) -> None:
    assert profile_of(jurisdiction).code == profile


@pytest.mark.parametrize("policy", BY_TIME)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.code)
def test_l01_ontario_and_quebec_forbid_expiry_by_time_alone(profile: Profile, policy: ExpiryPolicy) -> None:
    assert bool(forbids_expiry(profile, policy)) is (profile.code in ("CA-ON", "CA-QC"))


def test_l01_quebec_asks_a_years_inactivity() -> None:
    quebec, ontario = profile_of("CA-QC"), profile_of("CA-ON")
    assert "79.6.3" in forbids_expiry(quebec, ExpiryPolicy("inactivity", months=11))
    assert "79.6.3" in forbids_expiry(quebec, ExpiryPolicy("inactivity", days=364))
    for enough in (ExpiryPolicy("inactivity", months=12), ExpiryPolicy("inactivity", days=365), ExpiryPolicy("never")):
        assert forbids_expiry(quebec, enough) == ""
    assert forbids_expiry(ontario, ExpiryPolicy("inactivity", days=90)) == ""


def test_l01_a_law_holds_from_the_day_it_is_in_force() -> None:
    assert profile_of("CA-ON", date(2017, 12, 31)).code == "DEFAULT"
    assert profile_of("CA-ON", date(2018, 1, 1)).code == "CA-ON"
    assert profile_of("CA-QC", date(2019, 7, 31)).code == "DEFAULT"
    assert profile_of("CA-QC", date(2019, 8, 1)).code == "CA-QC"


def test_l01_earlier_versions_are_kept_for_what_happened_under_them() -> None:
    first = Profile("XX", date(2018, 1, 1), "first", "", expiry_by_time=False)
    second = Profile("XX", date(2020, 1, 1), "second", "", inactive_days=365, version=2)
    versions = (first, second)
    assert in_force("XX", date(2017, 12, 31), versions) is None
    assert in_force("XX", date(2019, 12, 31), versions) is first
    assert in_force("XX", date(2020, 1, 1), versions) is second
