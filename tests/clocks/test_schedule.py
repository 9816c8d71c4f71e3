"""The scheduler over nights when clocks change: what falls due is started once, what was missed is caught up."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alliance.runtime import Runtime
from alliance.settlement.schedule import close_due, open_due
from tests.alliance.support import House
from tests.workers.support import merchant
from workers.scheduler import start_due

ZONES = ["America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]
LOOK = timedelta(minutes=14)
"""Between looks at the clock; the shortest time that something is due for is 15 minutes."""


@pytest.fixture
async def house(runtime: Runtime) -> House:
    """The sample alliance, of New York, with merchants in all zones."""
    async with runtime.database.transaction() as session:
        session.add_all([merchant(f"in-{n}", zone) for n, zone in enumerate(ZONES)])
    return House(runtime)


async def watch(house: House, first: datetime, before: datetime, away: timedelta) -> dict[str, list[datetime]]:
    """Look at the clock again and again, after a while away; what was started, by name. Cycles close when due."""
    started: dict[str, list[datetime]] = defaultdict(list)
    now = first
    while now < before:
        for due in await start_due(house.runtime.database, now):
            started[due.name].append(due.due_at)
            if due.name == "settlement":
                async with house.runtime.database.transaction() as session:
                    alliance = house.runtime.catalogue.alliance
                    await open_due(session, alliance, due.due_at)
                    closed = await close_due(session, alliance, due.due_at)
                started["closed"] += [due.due_at] if closed else []
        now += LOOK if now > first else LOOK + away
    return started


def midnights(zone: str, first: datetime, before: datetime) -> list[datetime]:
    """Of the days that are in the zone, from the one that it is then."""
    day = first.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while (midnight := day.astimezone(UTC)) < before:
        found.append(midnight)
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize(
    ("first", "closed"),
    [
        ("2017-03-12T03:01", ["2017-03-13T04:00"]),
        ("2017-11-05T03:01", ["2017-11-06T05:00"]),
        ("2017-09-30T12:01", []),
        ("2018-03-31T12:01", []),
    ],
)
async def test_r07_each_night_is_started_once_when_clocks_change(house: House, first: str, closed: list[str]) -> None:
    """Spring and autumn in New York and in Lord Howe, where clocks move by half an hour, and midnights with them."""
    begin = datetime.fromisoformat(f"{first}+00:00")
    end = begin + timedelta(hours=27)
    await house.earn(await house.member(), "fuel", 100, as_of=begin - timedelta(days=1))
    started = await watch(house, begin, end, timedelta())
    for zone in ZONES:
        assert started[f"expiry {zone}"] == midnights(zone, begin, end)
    quarters = [begin - timedelta(minutes=1) + timedelta(minutes=15 * n) for n in range(108)]
    assert started["settlement"] == quarters
    assert len(set(started["holds"])) == len(started["holds"])
    assert started["closed"] == [datetime.fromisoformat(f"{one}+00:00") for one in closed]


async def test_r07_after_a_weekend_away_the_latest_is_started_and_nothing_twice(house: House) -> None:
    """Away from before the change until Monday noon: a midnight a zone is made up for, and the cycle closes at once."""
    first = datetime(2017, 11, 4, 12, 1, tzinfo=UTC)
    away = timedelta(days=2, hours=5)
    await house.earn(await house.member(), "fuel", 100, as_of=first - timedelta(hours=1))
    end = first + away + timedelta(hours=18)
    started = await watch(house, first, end, away)
    for zone in ZONES:
        latest = midnights(zone, first + away + LOOK, end)
        assert started[f"expiry {zone}"] == [midnights(zone, first, end)[0], *latest]
    assert len(set(started["settlement"])) == len(started["settlement"])
    assert started["closed"] == [datetime(2017, 11, 6, 17, 15, tzinfo=UTC)]
