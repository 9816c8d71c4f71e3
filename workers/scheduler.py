"""The scheduler: starts what is due, once, by adding a job with the due time as its `as_of`.

Any number may run; the one that holds an advisory lock acts. Even two at once would start nothing twice: the due time
of a run is a unique row, written in the transaction that adds the job.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.model import FeedRow
from alliance.runtime import collect_rarely
from domain.database import Database
from domain.events.commands import add_job, start_run
from domain.programs.model import AllianceRow, MemberTermsRow, MerchantRow
from workers import telemetry
from workers.process import OUTAGES, PAUSE, Page, Parts, Settings, no_page, pause, required, run_until_stopped
from workers.rules import latest_midnight, latest_multiple, month_day
from workers.sealer import keep_sealing
from workers.signer import keep_signing

log = structlog.get_logger("scheduler")

LOCK = (0x7E55, 2)

#: Seconds between looks at the clock, and between tries for the lock.
TICK = 5.0

#: How far this machine's clock and the database's may be apart. By a clock that is wrong nothing is started: what
#: expires by it cannot be taken back.
CLOCKS_APART = timedelta(minutes=1)

#: How late points of a lapsed hold may come back.
LAPSE_STEP = timedelta(minutes=5)

#: How late it is written that a freeze is over; members move points from its end on.
LIFE_STEP = timedelta(minutes=5)

#: How often the log of who read personal data is looked through.
READS_STEP = timedelta(minutes=15)

#: How long points wait at most for room that came back by itself.
ROOM_STEP = timedelta(minutes=5)

#: How often folders of feeds are looked into, where nobody says otherwise.
FEEDS_STEP = timedelta(minutes=1)

#: How late members are told of what happened.
TELL_STEP = timedelta(minutes=1)

#: Every cut-off and deadline of a cycle falls on a multiple of this, in every time zone there is.
SETTLEMENT_STEP = timedelta(minutes=15)


#: The day on which the month before is closed: by then it is over in every time zone there is.
MONTH_CLOSES = 3

Clock = Callable[[Database], Awaitable[datetime | None]]
"""What time it is; None while nobody can say."""


@dataclass(frozen=True, slots=True)
class Due:
    """Work called `name` that was due at `due_at` and is due again at `next_at`, and the actor that does it.

    Only the latest due time is ever started: what an actor does for a time includes all that was missed before it.
    """

    name: str
    due_at: datetime
    actor: str
    next_at: datetime


def run_scheduler(settings: Settings, page: Page = no_page) -> None:
    """Start what is due, seal the log and sign statements, until SIGTERM or SIGINT."""
    database_url = required(settings.database_url, "database_url")
    keys = settings.log_keys()

    async def serve(stop: asyncio.Event) -> None:
        database = Database(database_url, pool_size=2, keys=settings.keys())
        collect_rarely()
        try:
            async with asyncio.TaskGroup() as tasks:
                looks = timedelta(seconds=settings.feed_poll)
                tasks.create_task(schedule(database, stop, clock=agreed_clock, feeds_every=looks))
                tasks.create_task(keep_sealing(database, stop, keys))
                tasks.create_task(keep_signing(database, stop, keys))
                tasks.create_task(page(stop, Parts(database)))
        finally:
            await database.close()

    run_until_stopped(serve, settings.stall_seconds)


async def schedule(
    database: Database, stop: asyncio.Event, *, clock: Clock, feeds_every: timedelta = FEEDS_STEP
) -> None:
    """Start what is due as long as this process holds the lock, and knows the time; go on after outages."""
    log.info("scheduler started")
    while not stop.is_set():
        try:
            async with _lock(database) as connection:
                while connection is not None and not connection.is_closed() and not stop.is_set():
                    if (now := await clock(database)) is not None:
                        await start_due(database, now, feeds_every)
                    await pause(TICK, stop)
            await pause(TICK, stop)
        except OUTAGES as outage:
            log.warning("scheduler interrupted", reason=f"{type(outage).__name__}: {outage}".partition("\n")[0])
            await pause(PAUSE, stop)
    log.info("scheduler stopped")


async def agreed_clock(database: Database, own: Callable[[], datetime] = lambda: datetime.now(UTC)) -> datetime | None:
    """The time, if this machine's clock and the database's agree on it; else None, and why is logged."""
    async with database.reader() as session:
        theirs = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    now = own()
    telemetry.clock_is_ahead(now - theirs)
    if abs(now - theirs) <= CLOCKS_APART:
        return now
    log.error("clocks disagree: nothing is started", here=now.isoformat(), database=theirs.isoformat())
    return None


async def start_due(database: Database, now: datetime, feeds_every: timedelta = FEEDS_STEP) -> list[Due]:
    """Start what is due at `now` and was not started; what was."""
    async with database.transaction() as session:
        coming = await calendar(session, now, feeds_every)
        started = [due for due in coming if await start_run(session, due.name, due.due_at)]
        for due in started:
            await add_job(session, due.actor, {"as_of": due.due_at.isoformat()}, queue="bulk")
    for due in started:
        log.info("started", name=due.name, due_at=due.due_at.isoformat())
    return started


async def calendar(session: AsyncSession, now: datetime, feeds_every: timedelta = FEEDS_STEP) -> Sequence[Due]:
    """What is due: expiry and forced exits at midnight, lapsed holds, freezes that are over, keys past their time,
    steps of settlement, silences in disputes, the proof of the books, months that are over; where there are feeds,
    looks into their folders; where merchants send files of their own, looks for those that are due; where members have
    stages, those; where members who are one person are looked for, that.

    Expiry has a midnight in every time zone that a merchant keeps (R3), exits one in the alliance's. Members are told
    of things where any merchant writes to them, staff where there are contacts.
    """
    zones = await session.scalars(select(MerchantRow.timezone).distinct().order_by(MerchantRow.timezone))
    found = [_daily(f"expiry {zone}", "expire", now, zone) for zone in zones]
    zone = await session.scalar(select(AllianceRow.timezone))
    if zone is not None:
        found += [_daily(name, name, now, zone) for name in ("exits", "notices")]
        found.append(_every("holds", "lapse", now, LAPSE_STEP))
        found.append(_every("life", "life", now, LIFE_STEP))
        found.append(_every("reads", "watch_reads", now, READS_STEP))
        found.append(_daily("keys", "forget_keys", now, "UTC"))
        found.append(_every("room", "room", now, ROOM_STEP))
        found.append(_every("settlement", "settle", now, SETTLEMENT_STEP))
        found.append(_daily("disputes", "disputes", now, zone))
        found.append(_daily("reconciliation", "reconcile", now, zone))
        found.append(_monthly("liability", "close_month", now, zone))
        if await session.scalar(select(MerchantRow.id).where(MerchantRow.defaulted_since.is_not(None)).limit(1)):
            found.append(_daily("honour", "honour", now, zone))
        life = select(MemberTermsRow.definition).where(MemberTermsRow.part == "life")
        if ((await session.scalar(life)) or {}).get("stages") is not None:
            found.append(_daily("stages", "stages", now, zone))
        by_rule = (MemberTermsRow.part == "tags") & MemberTermsRow.definition.has_key("when")
        if await session.scalar(select(MemberTermsRow.code).where(by_rule).limit(1)) is not None:
            found.append(_daily("tags", "tags", now, zone))
        if await session.scalar(select(MerchantRow.id).where(MerchantRow.partner_files != []).limit(1)) is not None:
            found.append(_every("partner files", "partner_files_due", now, SETTLEMENT_STEP))
        looks = select(MemberTermsRow.part).where(MemberTermsRow.part == "duplicates")
        if await session.scalar(looks) is not None:
            found.append(_daily("duplicates", "duplicates", now, zone))
        writes = select(MerchantRow.id).where(func.jsonb_typeof(MerchantRow.notifications) == "object")
        if await session.scalar(writes.limit(1)) is not None:
            found.append(_daily("reminders", "remind", now, zone))
            found.append(_every("messages", "tell", now, TELL_STEP))
        if await session.scalar(_WITH_CONTACTS):
            found.append(_every("staff", "staff_tell", now, TELL_STEP))
    if await session.scalar(select(FeedRow.id).limit(1)) is not None:
        found.append(_every("feeds", "feeds", now, feeds_every))
    return found


_WITH_CONTACTS = text("""
    SELECT EXISTS (SELECT FROM alliance WHERE terms -> 'contacts' <> '[]')
        OR EXISTS (SELECT FROM merchant WHERE settlement -> 'contacts' <> '[]')""")


def _daily(name: str, actor: str, now: datetime, zone: str) -> Due:
    midnight = latest_midnight(now, ZoneInfo(zone))
    # Days have 23 to 25 hours, where clocks change.
    return Due(name, midnight, actor, latest_midnight(midnight + timedelta(hours=36), ZoneInfo(zone)))


def _monthly(name: str, actor: str, now: datetime, zone: str, day: int = MONTH_CLOSES) -> Due:
    local = now.astimezone(ZoneInfo(zone))
    months = [month_day(local.year * 12 + local.month - 1 + step, day, ZoneInfo(zone)) for step in (-1, 0, 1)]
    due_at = max(moment for moment in months if moment <= now)
    return Due(name, due_at, actor, min(moment for moment in months if moment > now))


def _every(name: str, actor: str, now: datetime, step: timedelta) -> Due:
    due_at = latest_multiple(now, step)
    return Due(name, due_at, actor, due_at + step)


@asynccontextmanager
async def _lock(database: Database) -> AsyncIterator[asyncpg.Connection | None]:
    """A connection that holds the lock until it is closed; None if another has it."""
    connection = await database.connect()
    try:
        got = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *LOCK)
        if got:
            log.info("scheduler holds the lock")
        yield connection if got else None
    finally:
        await connection.close(timeout=2)
