"""What the law of a jurisdiction lets a card hold (L1, L4), as a table. It is not legal advice."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardLimits:
    """The most that a card may hold, in minor units of `money`: of a `registered` holder, and of a `bearer`."""

    code: str
    as_of: str
    clause: str
    source: str
    money: str
    registered: int
    bearer: int


CARD_LIMITS: Mapping[str, CardLimits] = {
    limits.code: limits
    for limits in (
        CardLimits(
            code="CN",
            as_of="2012-11-01",
            clause="Administrative Measures for Single-Purpose Commercial Prepaid Cards (Trial), art. 18: 5,000 yuan a"
            " registered card, 1,000 yuan one that is not",
            source="Ministry of Commerce, Order No. 9 of 2012",
            money="CNY",
            registered=500_000,
            bearer=100_000,
        ),
    )
}


def card_limits(jurisdiction: str) -> CardLimits | None:
    """The limits of a country or a part of one, by ISO 3166; None where none are known."""
    return CARD_LIMITS.get(jurisdiction) or CARD_LIMITS.get(jurisdiction.partition("-")[0])


FORCED_EXIT_FORBIDDEN: Mapping[str, str] = {
    "CA-QC": "Consumer Protection Act (Quebec), s. 187.8: exchange units end by inactivity only",
}
"""Where points may not be sold without the member asking for it (R13), by profile, and the clause."""


def forbids_forced_exit(jurisdiction: str) -> str:
    """Why points may not be sold so there, with the clause; empty if they may."""
    clause = FORCED_EXIT_FORBIDDEN.get(jurisdiction)
    return f"{jurisdiction} forbids forced exits ({clause})" if clause else ""


NOTICE_BEFORE_EXPIRY: Mapping[str, tuple[int, int, str]] = {
    "CA-QC": (30, 60, "Regulation respecting the application of the Consumer Protection Act, s. 79.6.3"),
}
"""By profile: how many days before points end their holder has to be told, at least and at most, and the clause."""


def is_told_in_time(jurisdiction: str, days: tuple[int, int] | None) -> bool:
    """Whether a notice so many days before points end, at least and at most (None: there is none), is enough there."""
    if (asked := NOTICE_BEFORE_EXPIRY.get(jurisdiction)) is None:
        return True
    least, most, _ = asked
    return days is not None and least <= days[0] < days[1] <= most
