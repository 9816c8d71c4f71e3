"""The alliance's calendar: which days are business days, when cycles are cut off, when deadlines pass."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from domain.programs.catalogue import CalendarTerms, CycleTerms, Days

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business days of a country or a part of one, by its public holidays, weekends and weekends that are worked.

    Without a region they are Monday to Friday. What the alliance itself says of a day goes before either.
    Source of holidays: the library `holidays`, which knows a year's decreed days only once they are published.
    """

    region: str | None = None
    holidays: Collection[date] = frozenset()
    working_days: Collection[date] = frozenset()
    _known: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        country, _, part = (self.region or "").partition("-")
        known = holidays.country_holidays(country, subdiv=part or None) if country else None
        object.__setattr__(self, "_known", known)

    @classmethod
    def of(cls, terms: CalendarTerms) -> "Calendar":
        """The calendar of an alliance file; made once for the same terms."""
        return _calendar(terms)

    def is_business_day(self, day: date) -> bool:
        """Whether work is done on that day."""
        if day in self.working_days or day in self.holidays:
            return day in self.working_days
        if self._known is None:
            return day.weekday() < 5
        holiday = day in self._known  # asked first: the year's worked weekends are known only then
        return day in self._known.weekend_workdays if self._known.is_weekend(day) else not holiday

    def name_of(self, day: date, language: str = "en") -> str | None:
        """What the public holiday of that day is called, in English or the country's own language; None for others."""
        country, _, part = (self.region or "").partition("-")
        if not country:
            return None
        known = _named(country, part or None, language)
        name: str | None = known.get(day)
        return name

    def add_business_days(self, day: date, n: int) -> date:
        """The n-th business day after `day`; `day` itself for 0. Raises ValueError for fewer."""
        if n < 0:
            raise ValueError("business days are counted forwards")
        while n:
            day += ONE_DAY
            n -= self.is_business_day(day)
        return day

    def deadline(self, start: datetime, days: Days, zone: ZoneInfo) -> datetime:
        """The end (UTC, exclusive) of the last of `days` days after `start`, days being those of `zone`."""
        day = start.astimezone(zone).date()
        last = self.add_business_days(day, days.count) if days.business else day + timedelta(days=days.count)
        return instant(last + ONE_DAY, time(), zone)

    def cut_off(self, opened: datetime, terms: CycleTerms, zone: ZoneInfo) -> datetime:
        """When a cycle that opened then is due to close (UTC): the first cut-off by `terms` after it opened.

        A time that the clocks of `zone` skip is an hour later on them; of one that they show twice, the first counts.
        """
        day = opened.astimezone(zone).date()
        if isinstance(terms.every, Days):
            return instant(self.add_business_days(day, terms.every.count), terms.cut_off, zone)
        while not _ends(day, terms.every) or instant(day, terms.cut_off, zone) <= opened:
            day += ONE_DAY
        return instant(day, terms.cut_off, zone)


def _ends(day: date, every: str) -> bool:
    """Whether a cycle is cut off on that day, if it lasts that long."""
    match every:
        case "week":
            return day.weekday() == 0
        case "half_month":
            return day.day in (1, 16)
        case "month":
            return day.day == 1
        case _:
            return True


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A time of a day on the clocks of a zone, in UTC."""
    return datetime.combine(day, at, zone).astimezone(UTC)


@lru_cache(maxsize=16)
def _calendar(terms: CalendarTerms) -> Calendar:
    return Calendar(terms.region, terms.holidays, terms.working_days)


@lru_cache(maxsize=16)
def _named(country: str, part: str | None, language: str) -> Any:
    known = holidays.country_holidays(country, subdiv=part)
    spoken = language.replace("-", "_")
    wanted = next((one for one in known.supported_languages if one in (spoken, f"{spoken}_US")), known.default_language)
    return holidays.country_holidays(country, subdiv=part, language=wanted)


def is_known(region: str) -> bool:
    """Whether the public holidays of a country (`CN`) or a part of one (`US-OH`) are known."""
    country, _, part = region.partition("-")
    parts = holidays.list_supported_countries().get(country)
    return parts is not None and (not part or part in parts)
