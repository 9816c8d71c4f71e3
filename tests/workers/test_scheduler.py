"""What is due is started once, whoever schedules and whatever was missed."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from alliance.accrual.model import FeedRow
from domain.base import new_id
from domain.database import Database
from domain.events.model import ScheduledRun
from domain.programs.model import AllianceRow, MemberTermsRow, MerchantRow
from server.commands.jobs import SCHEDULED
from tests.workers.support import Until, all_jobs, merchant
from workers import scheduler, telemetry
from workers.rules import latest_midnight, latest_multiple
from workers.scheduler import agreed_clock, calendar, schedule, start_due

NEW_YORK, SHANGHAI = ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
DUE = {
    "expiry America/New_York": datetime(2026, 3, 1, 5, tzinfo=UTC),
    "expiry Asia/Shanghai": datetime(2026, 2, 28, 16, tzinfo=UTC),
    "exits": datetime(2026, 3, 1, 5, tzinfo=UTC),
    "notices": datetime(2026, 3, 1, 5, tzinfo=UTC),
    "holds": datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
    "life": datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
    "reads": datetime(2026, 3, 1, 12, tzinfo=UTC),
    "keys": datetime(2026, 3, 1, tzinfo=UTC),
    "room": datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
    "settlement": datetime(2026, 3, 1, 12, tzinfo=UTC),
    "disputes": datetime(2026, 3, 1, 5, tzinfo=UTC),
    "reconciliation": datetime(2026, 3, 1, 5, tzinfo=UTC),
    "liability": datetime(2026, 2, 3, 5, tzinfo=UTC),
}


@pytest.fixture
async def merchants(database: Database) -> None:
    """An alliance of merchants in two time zones."""
    async with database.transaction() as session:
        session.add(
            AllianceRow(
                code="a", name="A", settlement_currency="USD", timezone="America/New_York", terms={}, revision=1
            )
        )
        for code, zone in (("one", NEW_YORK), ("two", NEW_YORK), ("three", SHANGHAI)):
            session.add(merchant(code, zone.key))


async def runs(database: Database) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    async with database.session() as session:
        for run in await session.scalars(select(ScheduledRun).order_by(ScheduledRun.name, ScheduledRun.due_at)):
            found.setdefault(run.name, []).append(run.due_at)
    return found


@pytest.mark.usefixtures("merchants")
async def test_expiry_starts_at_midnight_of_each_zone_with_that_as_of(database: Database) -> None:
    started = await start_due(database, NOW)
    assert {due.name: due.due_at for due in started} == DUE
    jobs = [(job.actor, job.args["as_of"], job.queue) for job in await all_jobs(database)]
    assert jobs == [(due.actor, due.due_at.isoformat(), "bulk") for due in started]


@pytest.mark.usefixtures("merchants")
async def test_two_schedulers_at_once_start_each_once(database: Database) -> None:
    both = await asyncio.gather(*(start_due(database, NOW) for _ in range(2)))
    assert sorted(due.name for started in both for due in started) == sorted(DUE)
    assert len(await all_jobs(database)) == len(DUE)
    assert await start_due(database, NOW + timedelta(minutes=4)) == []


@pytest.mark.usefixtures("merchants")
async def test_only_the_one_with_the_lock_acts(
    database: Database, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TICK", 0.02)
    acted: list[str] = []

    async def act(name: str, stop: asyncio.Event) -> None:
        async def clock(_: Database) -> datetime:
            acted.append(name)
            return NOW

        await schedule(database, stop, clock=clock)

    stops = {name: asyncio.Event() for name in ("first", "second")}

    async def has_acted(name: str, times: int) -> bool:
        return acted.count(name) >= times

    first = asyncio.create_task(act("first", stops["first"]))
    await until(lambda: has_acted("first", 1))
    second = asyncio.create_task(act("second", stops["second"]))
    await until(lambda: has_acted("first", 10))
    assert set(acted) == {"first"}
    stops["first"].set()
    await until(lambda: has_acted("second", 1))
    stops["second"].set()
    await asyncio.gather(first, second)
    assert await runs(database) == {name: [due_at] for name, due_at in DUE.items()}


@pytest.mark.usefixtures("merchants")
async def test_what_was_missed_is_caught_up_by_the_latest(database: Database) -> None:
    await start_due(database, NOW)
    await start_due(database, NOW + timedelta(days=10))
    found = await runs(database)
    assert found["expiry America/New_York"][1:] == [datetime(2026, 3, 11, 4, tzinfo=UTC)]  # summer time by then
    assert {name: len(due) for name, due in found.items()} == dict.fromkeys(DUE, 2)


@pytest.mark.usefixtures("merchants")
async def test_a_clock_that_jumps_starts_nothing_twice(database: Database) -> None:
    """A year ahead, back to where it was, a week behind: once set right, each night is started when it comes."""
    for now in (NOW, NOW + timedelta(days=365), NOW, NOW - timedelta(days=7), NOW, NOW + timedelta(days=1)):
        await start_due(database, now)
    found = await runs(database)
    nights = [datetime(2026, month, day, 5, tzinfo=UTC) for month, day in ((2, 22), (3, 1), (3, 2))]
    assert found["expiry America/New_York"] == [*nights, datetime(2027, 3, 1, 5, tzinfo=UTC)]
    # Two of these times are in one month.
    times = dict.fromkeys(DUE, 4) | {"liability": 2}
    assert {name: len(due) for name, due in found.items()} == times
    assert len(await all_jobs(database)) == sum(times.values())


@pytest.mark.usefixtures("merchants")
@pytest.mark.parametrize(
    ("ahead", "starts"), [(timedelta(days=365), False), (-timedelta(hours=1), False), (timedelta(seconds=5), True)]
)
async def test_by_a_clock_that_the_database_contradicts_nothing_is_started(
    database: Database, ahead: timedelta, starts: bool, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "TICK", 0.02)
    stop, looks = asyncio.Event(), 0

    async def clock(database: Database) -> datetime | None:
        nonlocal looks
        looks += 1
        return await agreed_clock(database, lambda: datetime.now(UTC) + ahead)

    async def has_looked() -> bool:
        return looks > 2

    scheduling = asyncio.create_task(schedule(database, stop, clock=clock))
    await until(has_looked)
    stop.set()
    await scheduling
    assert bool(await runs(database)) is starts
    shown = telemetry.REGISTRY.get_sample_value("tessera_clock_ahead_seconds")
    assert shown == pytest.approx(ahead.total_seconds(), abs=60)


async def test_nothing_is_due_before_there_is_an_alliance(database: Database) -> None:
    assert await start_due(database, NOW) == []


@pytest.mark.parametrize(
    ("now", "zone", "midnight"),
    [
        ("2026-03-08T12:00:00+00:00", "America/New_York", "2026-03-08T05:00:00+00:00"),
        ("2026-03-09T03:59:59+00:00", "America/New_York", "2026-03-08T05:00:00+00:00"),
        ("2026-03-09T04:00:00+00:00", "America/New_York", "2026-03-09T04:00:00+00:00"),
        ("2018-11-04T15:00:00+00:00", "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),  # a day without midnight
    ],
)
def test_r03_the_latest_midnight(now: str, zone: str, midnight: str) -> None:
    found = latest_midnight(datetime.fromisoformat(now), ZoneInfo(zone))
    assert found == datetime.fromisoformat(midnight)


@pytest.mark.parametrize(
    ("zone", "day", "skipped"),
    [
        ("America/Havana", "2026-11-01", []),  # 0:00 to 1:00 comes twice
        ("America/Havana", "2026-03-08", []),  # 0:00 to 1:00 does not come
        ("America/St_Johns", "2010-11-07", []),  # a minute after midnight the day before comes back
        ("Africa/Cairo", "2026-04-24", []),  # no midnight
        ("Pacific/Apia", "2011-12-30", ["2011-12-30"]),  # no such day
    ],
)
def test_r03_a_day_begins_once_whatever_clocks_do(zone: str, day: str, skipped: list[str]) -> None:
    """Minute by minute over five days: each day of the calendar there has one beginning, in order."""
    around = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    minutes = [around + timedelta(minutes=n) for n in range(-3600, 3600)]
    begun = list(dict.fromkeys(latest_midnight(minute, ZoneInfo(zone)) for minute in minutes))
    days = sorted({minute.astimezone(ZoneInfo(zone)).date() for minute in minutes})
    assert skipped == [one for one in (day,) if date.fromisoformat(one) not in days]
    assert begun == sorted(begun)
    assert [begin.astimezone(ZoneInfo(zone)).date() for begin in begun] == days


def test_the_latest_multiple() -> None:
    step = timedelta(minutes=15)
    for minutes, expected in ((0, 0), (14, 0), (15, 15), (59, 45)):
        noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert latest_multiple(noon + timedelta(minutes=minutes), step) == noon + timedelta(minutes=expected)


@pytest.mark.usefixtures("merchants")
async def test_the_calendar_says_what_comes_next_also_where_clocks_change(database: Database) -> None:
    async with database.session() as session:
        coming = {due.name: due.next_at for due in await calendar(session, datetime(2026, 3, 8, 12, 7, tzinfo=UTC))}
    assert coming == {
        "expiry America/New_York": datetime(2026, 3, 9, 4, tzinfo=UTC),  # the day has 23 hours
        "expiry Asia/Shanghai": datetime(2026, 3, 8, 16, tzinfo=UTC),
        "exits": datetime(2026, 3, 9, 4, tzinfo=UTC),
        "notices": datetime(2026, 3, 9, 4, tzinfo=UTC),
        "holds": datetime(2026, 3, 8, 12, 10, tzinfo=UTC),
        "life": datetime(2026, 3, 8, 12, 10, tzinfo=UTC),
        "reads": datetime(2026, 3, 8, 12, 15, tzinfo=UTC),
        "keys": datetime(2026, 3, 9, tzinfo=UTC),
        "room": datetime(2026, 3, 8, 12, 10, tzinfo=UTC),
        "settlement": datetime(2026, 3, 8, 12, 15, tzinfo=UTC),
        "disputes": datetime(2026, 3, 9, 4, tzinfo=UTC),
        "reconciliation": datetime(2026, 3, 9, 4, tzinfo=UTC),
        "liability": datetime(2026, 4, 3, 4, tzinfo=UTC),
    }


@pytest.mark.usefixtures("merchants")
async def test_all_that_the_clock_starts_can_be_started_by_hand(database: Database) -> None:
    async with database.session() as session:
        session.add(FeedRow(code="tills", merchant_id=new_id(), definition={}))
        session.add(MemberTermsRow(part="life", code="", definition={"stages": {}}))
        session.add(MemberTermsRow(part="duplicates", code="", definition={}))
        session.add(MemberTermsRow(part="tags", code="some", definition={"when": "true"}))
        await session.execute(update(MerchantRow).values(notifications={}, defaulted_since=NOW))
        await session.flush()
        assert {due.actor for due in await calendar(session, NOW)} == set(SCHEDULED)
