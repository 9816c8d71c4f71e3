"""The relay: from the job table to the broker. Any number may run; each job is taken by one of them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from dramatiq.brokers.redis import RedisBroker

from domain.database import Database
from domain.events.commands import hand_out
from domain.events.model import CHANNEL, HandedOut
from domain.events.queries import any_due
from workers import telemetry
from workers.actor import Actor
from workers.actors import Known, all_actors
from workers.broker import make_broker, room, send
from workers.process import OUTAGES, PAUSE, Page, Parts, Settings, no_page, pause, required, run_until_stopped

log = structlog.get_logger("relay")

#: Seconds between looks at the table while nobody calls: for jobs that become due, and for calls that were missed.
POLL = 1.0


def run_relay(settings: Settings, page: Page = no_page, known: Known = all_actors) -> None:
    """Relay jobs until SIGTERM or SIGINT."""
    database_url = required(settings.database_url, "database_url")
    broker = make_broker(required(settings.redis_url, "redis_url"))
    actors = known(settings.secret("fingerprint"))
    again_after = timedelta(seconds=settings.job_redelivery)

    async def serve(stop: asyncio.Event) -> None:
        database = Database(database_url, pool_size=1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(page(stop, Parts(database, broker)))
                tasks.create_task(relay(database, broker, stop, actors=actors, again_after=again_after))
        finally:
            await database.close()
            broker.client.close()

    run_until_stopped(serve, settings.stall_seconds)


async def relay(
    database: Database,
    broker: RedisBroker,
    stop: asyncio.Event,
    *,
    actors: Mapping[str, Actor],
    again_after: timedelta,
) -> None:
    """Hand out what is due, whenever jobs are added and at least every second; go on after outages."""
    log.info("relay started", actors=sorted(actors))
    while not stop.is_set():
        try:
            async with _listening(database) as (connection, called):
                while not stop.is_set():
                    called.clear()
                    if not (
                        await any_due(connection, list(actors))
                        and await relay_once(database, broker, actors, again_after)
                    ):
                        await pause(POLL, called, stop)
        except OUTAGES as outage:
            log.warning("relay interrupted", reason=f"{type(outage).__name__}: {outage}".partition("\n")[0])
            await pause(PAUSE, stop)
    log.info("relay stopped")


async def relay_once(
    database: Database, broker: RedisBroker, actors: Mapping[str, Actor], again_after: timedelta
) -> int:
    """Hand out due jobs as far as the queues have room; how many.

    Only jobs of known actors: others wait for a relay that knows them. They are marked before they are sent; what is
    lost between is due again after `again_after`.
    """
    handed_out = 0
    for queue, limit in (await asyncio.to_thread(room, broker)).items():
        if limit:
            async with database.transaction() as session:
                taken = await hand_out(session, list(actors), queue, limit, again_after)
            await asyncio.to_thread(_send, broker, queue, _messages(taken, actors))
            telemetry.handed_out(taken)
            handed_out += len(taken)
    return handed_out


def _messages(taken: Sequence[HandedOut], actors: Mapping[str, Actor]) -> list[tuple[str, list[UUID]]]:
    """Jobs of one actor together, up to its batch; one that failed before goes alone, so that it fails alone."""
    together: defaultdict[str, list[UUID]] = defaultdict(list)
    messages = []
    for job in taken:
        if job.attempts:
            messages.append((job.actor, [job.id]))
        else:
            together[job.actor].append(job.id)
    for actor, ids in together.items():
        size = actors[actor].batch
        messages += [(actor, ids[start : start + size]) for start in range(0, len(ids), size)]
    return messages


def _send(broker: RedisBroker, queue: str, messages: list[tuple[str, list[UUID]]]) -> None:
    for actor, ids in messages:
        send(broker, queue, actor, ids)


@asynccontextmanager
async def _listening(database: Database) -> AsyncIterator[tuple[asyncpg.Connection, asyncio.Event]]:
    """A connection, and an event that is set when jobs were added, and when the connection was lost."""
    called = asyncio.Event()
    connection = await database.connect()
    try:
        connection.add_termination_listener(lambda _: called.set())
        await connection.add_listener(CHANNEL, lambda *_: called.set())
        yield connection, called
    finally:
        await connection.close(timeout=2)
