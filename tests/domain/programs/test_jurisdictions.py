"""What a jurisdiction forbids, by the table (L1)."""

from datetime import date

import pytest

from domain.programs.jurisdictions import PROFILES, forbids_expiry, profile_of
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
@pytest.mark.parametrize("code", PROFILES)
def test_l01_ontario_and_quebec_forbid_expiry_by_time_alone(code: str, policy: ExpiryPolicy) -> None:
    assert bool(forbids_expiry(PROFILES[code], policy)) is (code in ("CA-ON", "CA-QC"))


def test_l01_quebec_asks_a_years_inactivity() -> None:
    quebec, ontario = PROFILES["CA-QC"], PROFILES["CA-ON"]
    assert "79.6.3" in forbids_expiry(quebec, ExpiryPolicy("inactivity", months=11))
    assert "79.6.3" in forbids_expiry(quebec, ExpiryPolicy("inactivity", days=364))
    for enough in (ExpiryPolicy("inactivity", months=12), ExpiryPolicy("inactivity", days=365), ExpiryPolicy("never")):
        assert forbids_expiry(quebec, enough) == ""
    assert forbids_expiry(ontario, ExpiryPolicy("inactivity", days=90)) == ""
