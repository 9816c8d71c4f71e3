"""What the law of a jurisdiction lets a programme do with points (L1), as a table. It is not legal advice.

Each profile names the clause that it follows and where to read it. A jurisdiction has the profile of its region
(CA-ON), else of its country (US for US-OH), else EU for a member state of the Union, else DEFAULT.

The law changes: a profile has versions, none of which is ever edited or taken away, and the one in force at the moment
that counts is followed. Before its first one a region has what its country has, and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.programs.terms import ExpiryPolicy


@dataclass(frozen=True, slots=True)
class Profile:
    """A version of a profile, in force `since` that day until the next one.

    `expiry_by_time`: points may end because time has passed. `inactive_days`: the least time of inactivity.
    Terms that are worse for members are announced `terms_notice` days before they start at the latest (L3), and
    `terms_notice_most` at the earliest, with texts and changed clauses in each of `terms_languages`, by `terms_clause`.
    """

    code: str
    since: date
    clause: str
    source: str
    expiry_by_time: bool = True
    inactive_days: int = 0
    version: int = 1
    terms_notice: int = 30
    terms_notice_most: int | None = None
    terms_languages: tuple[str, ...] = ()
    terms_clause: str = "the platform's rule where no stricter law is known: 30 days"


PROFILES: Sequence[Profile] = (
    Profile(
        code="CA-ON",
        since=date(2018, 1, 1),
        clause="Consumer Protection Act, 2002 (Ontario), s. 47.1: rewards points do not expire by time alone",
        source="https://www.ontario.ca/laws/statute/02c30",
        expiry_by_time=False,
    ),
    Profile(
        code="CA-QC",
        since=date(2019, 8, 1),
        clause="Consumer Protection Act (Quebec), s. 187.8, and Regulation P-40.1, r. 3, s. 79.6.3: exchange units"
        " expire by inactivity of at least one year only",
        source="https://www.legisquebec.gouv.qc.ca/en/document/cr/P-40.1,%20r.%203",
        expiry_by_time=False,
        inactive_days=365,
        terms_notice=60,
        terms_notice_most=90,
        terms_languages=("fr", "en"),
        terms_clause="Consumer Protection Act, s. 187.9, and Regulation P-40.1, r. 3: notice 60 to 90 days before,"
        " with the amended clause and the clause as it read formerly",
    ),
    Profile(
        code="CN",
        since=date(2012, 11, 1),
        clause="Administrative Measures for Single-Purpose Commercial Prepaid Cards (Trial): on stored value, not"
        " on points",
        source="Ministry of Commerce, Order No. 9 of 2012",
    ),
    Profile(
        code="EU",
        since=date(1993, 4, 5),
        clause="Directive 93/13/EEC, art. 3: terms must not be unfair; no rule on the expiry of points",
        source="https://eur-lex.europa.eu/eli/dir/1993/13/oj",
    ),
    Profile(
        code="US",
        since=date(2010, 8, 22),
        clause="12 CFR 1005.20(b)(3): loyalty, award and promotional cards are exempt from the limits on expiry",
        source="https://www.ecfr.gov/current/title-12/section-1005.20",
    ),
    Profile(code="DEFAULT", since=date.min, clause="no rule on the expiry of points is known here", source=""),
)
"""Versions of a profile stand in the order of their dates."""

MEMBER_STATES = frozenset({
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE",
    "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "EU",
})  # fmt: skip


def profile_of(jurisdiction: str, on: date = date.max) -> Profile:
    """The profile of a country or a part of one, by ISO 3166, that is in force `on` a day; by default the newest."""
    country = jurisdiction.partition("-")[0]
    union = "EU" if country in MEMBER_STATES else country
    known = (in_force(code, on) for code in (jurisdiction, union, "DEFAULT"))
    return next(profile for profile in known if profile is not None)


def in_force(code: str, on: date, profiles: Sequence[Profile] = PROFILES) -> Profile | None:
    """The version of one profile that is in force on that day."""
    return next((profile for profile in reversed(profiles) if profile.code == code and profile.since <= on), None)


def forbids_expiry(profile: Profile, policy: ExpiryPolicy) -> str:
    """Why the profile does not let points end so, with its clause; empty if it does."""
    if policy.kind == "inactivity":
        days = policy.days + policy.months * 365 // 12
        if days >= profile.inactive_days:
            return ""
    elif policy.kind == "never" or profile.expiry_by_time:
        return ""
    return f"{profile.code} forbids expiry of this kind ({profile.clause})"


HOLDING_MONEY_FORBIDDEN: dict[str, str] = {
    "CN": "Regulations on the Supervision and Administration of Non-bank Payment Institutions (State Council, Order"
    " No. 768 of 2023), art. 6: nobody clears and settles for merchants without a payment business licence",
}
"""Where the operator may not take merchants' money and pay it out (L6), by country, and the clause."""


def forbids_holding_money(jurisdiction: str) -> str:
    """Why an operator may not hold what a merchant there is to be paid, with the clause; empty if it may."""
    country = jurisdiction.partition("-")[0]
    clause = HOLDING_MONEY_FORBIDDEN.get(country)
    return (
        f"{country} forbids settlement through the operator ({clause}): let a custodian hold the money"
        if clause
        else ""
    )
