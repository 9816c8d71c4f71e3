"""What the law of a jurisdiction lets a programme do with points (L1), as a table. It is not legal advice.

Each profile names the clause that it follows and where to read it. A jurisdiction has the profile of its region
(CA-ON), else of its country (US for US-OH), else EU for a member state of the Union, else DEFAULT.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.programs.terms import ExpiryPolicy


@dataclass(frozen=True, slots=True)
class Profile:
    """`expiry_by_time`: points may end because time has passed. `inactive_days`: the least time of inactivity."""

    code: str
    as_of: str
    clause: str
    source: str
    expiry_by_time: bool = True
    inactive_days: int = 0


PROFILES: Mapping[str, Profile] = {
    profile.code: profile
    for profile in (
        Profile(
            code="CA-ON",
            as_of="2018-01-01",
            clause="Consumer Protection Act, 2002 (Ontario), s. 47.1: rewards points do not expire by time alone",
            source="https://www.ontario.ca/laws/statute/02c30",
            expiry_by_time=False,
        ),
        Profile(
            code="CA-QC",
            as_of="2019-08-01",
            clause="Consumer Protection Act (Quebec), s. 187.8, and Regulation P-40.1, r. 3, s. 79.6.3: exchange units"
            " expire by inactivity of at least one year only",
            source="https://www.legisquebec.gouv.qc.ca/en/document/cr/P-40.1,%20r.%203",
            expiry_by_time=False,
            inactive_days=365,
        ),
        Profile(
            code="CN",
            as_of="2012-11-01",
            clause="Administrative Measures for Single-Purpose Commercial Prepaid Cards (Trial): on stored value, not"
            " on points",
            source="Ministry of Commerce, Order No. 9 of 2012",
        ),
        Profile(
            code="EU",
            as_of="1993-04-05",
            clause="Directive 93/13/EEC, art. 3: terms must not be unfair; no rule on the expiry of points",
            source="https://eur-lex.europa.eu/eli/dir/1993/13/oj",
        ),
        Profile(
            code="US",
            as_of="2010-08-22",
            clause="12 CFR 1005.20(b)(3): loyalty, award and promotional cards are exempt from the limits on expiry",
            source="https://www.ecfr.gov/current/title-12/section-1005.20",
        ),
        Profile(code="DEFAULT", as_of="2010-01-01", clause="no rule on the expiry of points is known here", source=""),
    )
}

MEMBER_STATES = frozenset({
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE",
    "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "EU",
})  # fmt: skip


def profile_of(jurisdiction: str) -> Profile:
    """The profile of a country or a part of one, by ISO 3166."""
    country = jurisdiction.partition("-")[0]
    union = "EU" if country in MEMBER_STATES else country
    return PROFILES.get(jurisdiction) or PROFILES.get(union) or PROFILES["DEFAULT"]


def forbids_expiry(profile: Profile, policy: ExpiryPolicy) -> str:
    """Why the profile does not let points end so, with its clause; empty if it does."""
    if policy.kind == "inactivity":
        days = policy.days + policy.months * 365 // 12
        if days >= profile.inactive_days:
            return ""
    elif policy.kind == "never" or profile.expiry_by_time:
        return ""
    return f"{profile.code} forbids expiry of this kind ({profile.clause})"
