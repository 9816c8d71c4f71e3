"""When what is scheduled is due: pure functions of a moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def latest_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of the day that it is at `now` in `zone`, in UTC (where a change of clocks skips midnight,
    the moment of the change)."""
    local = now.astimezone(zone)
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)


def month_day(months: int, day: int, zone: ZoneInfo) -> datetime:
    """The first instant of a day of a month, which is counted from the year 0, in UTC."""
    return datetime(months // 12, months % 12 + 1, day, tzinfo=zone).astimezone(UTC)


def latest_multiple(now: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` since the epoch that is not after `now`, in UTC."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (now - epoch) // step * step
