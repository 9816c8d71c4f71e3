"""Days of agreements: when a version may start, when an agreement may end, and for how long points run off. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from alliance.calendar import Calendar
from domain.programs.catalogue import Alliance, Days, NoticeTerms, days_of, notice_terms


@dataclass(frozen=True, slots=True)
class LastCycle:
    """The cycle into which the last points spent by an agreement fall, by the calendar: its number and cut-off.

    What is undone later falls into the cycle that is open then. Claims are raised until `claims_until`.
    """

    number: int
    closes_at: datetime
    claims_until: datetime


def notice_of(terms: Mapping[str, Any], alliance: Alliance) -> NoticeTerms:
    """The notice that a version asks for: its own, and the alliance's where it says nothing."""
    return notice_terms(terms.get("notice"), alliance.notice)


def today(as_of: datetime, alliance: Alliance) -> date:
    """The day of an instant in the alliance's zone, in which agreements begin and end."""
    return as_of.astimezone(alliance.timezone).date()


def midnight(day: date, alliance: Alliance) -> datetime:
    """The first instant of a day, in UTC."""
    return datetime.combine(day, time(), alliance.timezone).astimezone(UTC)


def day_bounds(day: date, alliance: Alliance) -> tuple[datetime, datetime]:
    """A day in the alliance's zone: its first instant and the first after it."""
    return midnight(day, alliance), midnight(day + timedelta(days=1), alliance)


def after(day: date, days: Days, alliance: Alliance) -> date:
    """So many days after a day; business days are those of the alliance's calendar."""
    if days.business:
        return Calendar.of(alliance.calendar).add_business_days(day, days.count)
    return day + timedelta(days=days.count)


def earliest(as_of: datetime, days: Days, alliance: Alliance) -> date:
    """The first day on which something may begin or end of which notice is given now: not before tomorrow."""
    now = today(as_of, alliance)
    return max(after(now, days, alliance), now + timedelta(days=1))


def runs_off_to(valid_to: datetime, terms: Mapping[str, Any], alliance: Alliance) -> datetime:
    """Until when points are still spent by a version that ended at `valid_to` (A12)."""
    return midnight(after(today(valid_to, alliance), notice_of(terms, alliance).run_off, alliance), alliance)


def last_cycle(until: datetime, open_number: int, opened: datetime, claim: Days, alliance: Alliance) -> LastCycle:
    """The cycle that is open just before `until`, counted from the open one, which opened at `opened`."""
    calendar, zone = Calendar.of(alliance.calendar), alliance.timezone
    number, closes = open_number, calendar.cut_off(opened, alliance.cycle, zone)
    while closes < until:
        number, closes = number + 1, calendar.cut_off(closes, alliance.cycle, zone)
    return LastCycle(number, closes, calendar.deadline(closes, claim, zone))


def claim_days(terms: Mapping[str, Any], alliance: Alliance) -> Days:
    """For how long after settling claims are raised: as the version says, or else the alliance."""
    return days_of(terms["claimDays"]) if "claimDays" in terms else alliance.cycle.claim
