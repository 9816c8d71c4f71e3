"""Quiet hours, also on the days on which clocks change."""

from datetime import UTC, datetime, time, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from domain.programs.notifying import QuietHours

NEW_YORK = ZoneInfo("America/New_York")
NIGHT = QuietHours(time(21), time(8))


@pytest.mark.parametrize(
    ("quiet", "moment", "released"),
    [
        (NIGHT, "2027-06-01T20:59:59-04:00", "2027-06-01T20:59:59-04:00"),
        (NIGHT, "2027-06-01T21:00:00-04:00", "2027-06-02T08:00:00-04:00"),
        (NIGHT, "2027-06-02T07:59:59-04:00", "2027-06-02T08:00:00-04:00"),
        (NIGHT, "2027-06-02T08:00:00-04:00", "2027-06-02T08:00:00-04:00"),
        (QuietHours(time(12), time(14)), "2027-06-02T13:00:00-04:00", "2027-06-02T14:00:00-04:00"),
        # Clocks go forward: the night is an hour shorter.
        (NIGHT, "2027-03-13T22:00:00-05:00", "2027-03-14T08:00:00-04:00"),
        # 02:30 is skipped: it is 03:30 on them.
        (QuietHours(time(22), time(2, 30)), "2027-03-14T01:59:00-05:00", "2027-03-14T03:30:00-04:00"),
        # Clocks go back: the night is an hour longer.
        (NIGHT, "2027-11-06T22:00:00-04:00", "2027-11-07T08:00:00-05:00"),
        # 01:30 comes twice: the first ends the quiet hours, and so does the second those that the clocks show again.
        (QuietHours(time(22), time(1, 30)), "2027-11-07T01:15:00-04:00", "2027-11-07T01:30:00-04:00"),
        (QuietHours(time(22), time(1, 30)), "2027-11-07T01:15:00-05:00", "2027-11-07T01:30:00-05:00"),
    ],
)
def test_a_message_waits_until_they_end(quiet: QuietHours, moment: str, released: str) -> None:
    assert quiet.release(datetime.fromisoformat(moment), NEW_YORK) == datetime.fromisoformat(released)


CLOCKS = [time(hour, minute) for hour in (0, 1, 2, 3, 8, 21) for minute in (0, 30)]
CHANGES = (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC))


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_released_may_be_sent_within_a_day(change: datetime) -> None:
    for start, end in permutations(CLOCKS, 2):
        quiet = QuietHours(start, end)
        if (60 * (start.hour - end.hour) + start.minute - end.minute) % (24 * 60) <= 60:
            continue  # the clocks may skip all of the day that is not quiet
        for quarters in range(-60, 60):
            moment = change + timedelta(minutes=15 * quarters)
            released = quiet.release(moment, NEW_YORK)
            assert moment <= released <= moment + timedelta(hours=25)
            assert quiet.release(released, NEW_YORK) == released
