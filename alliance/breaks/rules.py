"""How old breaks are, and what they come to: pure functions. Days are business days of the alliance's calendar."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from alliance.calendar import Calendar
from alliance.partnerfiles.model import ReconBreak
from domain.programs.catalogue import Alliance

AGES = (0, 5, 11, 31)
"""The youngest of each bucket, in business days: 0 to 4, 5 to 10, 11 to 30, older."""


class Bucket(NamedTuple):
    """Breaks of `youngest` to `oldest` business days (None: and older): those opened from `since` to before `before`.

    None is no bound.
    """

    youngest: int
    oldest: int | None
    since: datetime | None
    before: datetime | None


def opened_before(days: int, alliance: Alliance, as_of: datetime) -> datetime | None:
    """What opened before this instant is at least so many business days old; None for 0: all is."""
    if days <= 0:
        return None
    calendar, zone = Calendar.of(alliance.calendar), alliance.timezone
    day = as_of.astimezone(zone).date()
    while True:
        days -= calendar.is_business_day(day)
        if not days:
            return datetime.combine(day, time(), zone)
        day -= timedelta(days=1)


def buckets(alliance: Alliance, as_of: datetime) -> Sequence[Bucket]:
    """The buckets by age, youngest first."""
    bounds = [(age, opened_before(age, alliance, as_of)) for age in AGES]
    found = [Bucket(age, after - 1, since, before) for (age, before), (after, since) in pairwise(bounds)]
    return [*found, Bucket(bounds[-1][0], None, None, bounds[-1][1])]


def age(opened: datetime, alliance: Alliance, as_of: datetime) -> int:
    """How many business days after the day it was opened have begun."""
    calendar, zone = Calendar.of(alliance.calendar), alliance.timezone
    day, last, count = opened.astimezone(zone).date(), as_of.astimezone(zone).date(), 0
    while day < last:
        day += timedelta(days=1)
        count += calendar.is_business_day(day)
    return count


def difference(row: ReconBreak) -> int:
    """What the merchant that sent the file is to receive more by its books than by ours, in millionths."""
    return (row.theirs or 0) - (row.ours or 0)
