"""A merchant's tiers, as its alliance file declares them. Pure; dates are of its time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

AfterReturn = Literal["if_lifted", "now", "at_period_end", "keep"]


@dataclass(frozen=True, slots=True)
class Level:
    """A tier: members have it from `threshold` credits on. It brings rights: `grants` are their kinds, and how many
    uses of each (None: as its benefit says)."""

    code: str
    name: str
    threshold: int
    grants: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class TierProgramme:
    """Credits of the currency `credits` count for `months`, or (None) within their calendar year.

    A tier lasts as long as the credits reach it (`follows_balance`), or to the end of its period: the year after the
    one it was reached in, or so many months. `levels` rise. `after_return` is what becomes of a tier that the credits
    no longer reach once an order came back; `return_days` after the order it is no longer "inside its return window".
    """

    merchant_id: UUID
    zone: ZoneInfo
    credits: str
    months: int | None
    follows_balance: bool
    levels: tuple[Level, ...]
    after_return: AfterReturn
    return_days: int

    @property
    def brings_rights(self) -> bool:
        """Whether any of its tiers does."""
        return any(level.grants for level in self.levels)

    def level(self, code: str | None) -> Level | None:
        """The level of that code; None for one that is not declared any more."""
        return next((level for level in self.levels if level.code == code), None)

    def reached(self, credits: int) -> Level | None:
        """The highest level that so many credits reach."""
        return next((level for level in reversed(self.levels) if level.threshold <= credits), None)

    def above(self, code: str | None) -> Level | None:
        """The level after that one; the first after none."""
        level = self.level(code)
        rest = [other for other in self.levels if level is None or other.threshold > level.threshold]
        return rest[0] if rest else None

    def rank(self, code: str | None) -> int:
        """Levels from 1 up; 0 for none."""
        level = self.level(code)
        return 0 if level is None else self.levels.index(level) + 1

    def until(self, reached_at: datetime) -> datetime | None:
        """The first instant without a tier reached at that one; None while the credits suffice."""
        if self.follows_balance:
            return None
        day = reached_at.astimezone(self.zone).date()
        if self.months is None:
            return self._midnight(date(day.year + 2, 1, 1))
        return self._midnight(day + relativedelta(months=self.months) + timedelta(days=1))

    def year_of(self, moment: datetime) -> tuple[datetime, datetime]:
        """The calendar year of a moment: its first instant and the first after it."""
        year = moment.astimezone(self.zone).year
        return self._midnight(date(year, 1, 1)), self._midnight(date(year + 1, 1, 1))

    def in_return_window(self, bought_at: datetime, moment: datetime) -> bool:
        """Whether an order of that time may still come back at that moment."""
        return moment < bought_at + timedelta(days=self.return_days)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def tier_programme(stored: Mapping[str, Any] | None, merchant_id: UUID, zone: ZoneInfo) -> TierProgramme | None:
    """From the alliance file's `tiers`."""
    if stored is None:
        return None
    period = stored["period"]
    levels: Sequence[Mapping[str, Any]] = stored["levels"]
    return TierProgramme(
        merchant_id=merchant_id,
        zone=zone,
        credits=stored["credits"],
        months=None if period == "calendar_year" else period["months"],
        follows_balance=stored["lasts"] == "balance",
        levels=tuple(
            Level(level["code"], level["name"], level["threshold"], tuple(map(_grant, level.get("grants", ()))))
            for level in levels
        ),
        after_return=stored["afterReturn"],
        return_days=stored["returnDays"],
    )


def _grant(stored: Mapping[str, Any]) -> tuple[str, int | None]:
    return stored["kind"], stored.get("quantity")
