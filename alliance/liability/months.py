"""Months, by their first day, in the zone of whoever's they are."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def number(month: date) -> int:
    """Months from any: so that they can be counted."""
    return month.year * 12 + month.month - 1


def numbered(count: int) -> date:
    """The opposite."""
    return date(count // 12, count % 12 + 1, 1)


def after(month: date, months: int = 1) -> date:
    """So many months later."""
    return numbered(number(month) + months)


def end_of(month: date, zone: ZoneInfo) -> datetime:
    """The first instant that is not in it."""
    following = after(month)
    return datetime(following.year, following.month, 1, tzinfo=zone).astimezone(UTC)


def last_over(as_of: datetime, zone: ZoneInfo) -> date:
    """The last month that is over."""
    return after(current(as_of, zone), -1)


def current(as_of: datetime, zone: ZoneInfo) -> date:
    """The month that it is."""
    return as_of.astimezone(zone).date().replace(day=1)
