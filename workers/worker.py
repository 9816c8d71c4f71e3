"""The worker: takes messages off the broker and does their jobs.

Dramatiq's threads only wait: the work is done on one event loop, with one Runtime and so one posting engine a process.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from alliance.runtime import Runtime, collect_rarely
from workers.actor import Actor, put_off, work_off
from workers.actors import Known, all_actors
from workers.broker import JOBS, QUEUES, make_broker
from workers.courier import Write, deliver
from workers.process import Page, Parts, Settings, no_page, required, run_until_stopped
from workers.prover import keep_proving

log = structlog.get_logger("worker")

#: Milliseconds between an idle thread's looks whether it is to stop.
IDLE = 250

#: Until a job is handed out again whose actor this worker does not know, perhaps to one that does.
UNKNOWN_AGAIN = timedelta(seconds=10)


def run_worker(settings: Settings, page: Page = no_page, known: Known = all_actors, write: Write | None = None) -> None:
    """Do jobs until SIGTERM or SIGINT; and deliver to webhooks, where `write` says how events are told."""
    database_url = required(settings.database_url, "database_url")
    broker = make_broker(required(settings.redis_url, "redis_url"))
    actors = known(settings.secret("fingerprint"))

    async def serve(stop: asyncio.Event) -> None:
        threads, grace = settings.worker_threads, settings.shutdown_seconds
        # Each message keeps a connection while it holds its jobs, and may need another to do them.
        async with (
            Runtime.open(database_url, keys=settings.keys(), pool_size=2 * threads) as runtime,
            asyncio.TaskGroup() as tasks,
        ):
            runtime.codes = settings.codes()
            collect_rarely()
            tasks.create_task(page(stop, Parts(runtime.database, broker, runtime.engine)))
            tasks.create_task(keep_proving(runtime.database, stop))
            tasks.create_task(work(runtime, broker, stop, actors=actors, threads=threads, grace=grace))
            if write is not None:
                tasks.create_task(deliver(runtime, settings, write, stop))
        broker.client.close()

    run_until_stopped(serve, settings.stall_seconds)


async def work(
    runtime: Runtime,
    broker: RedisBroker,
    stop: asyncio.Event,
    *,
    actors: Mapping[str, Actor],
    threads: int,
    grace: float,
) -> None:
    """Do jobs of these actors until told to stop. What is in hand then gets `grace` seconds; the rest is handed back,
    due at once."""
    in_hand: set[asyncio.Task[None]] = set()
    declare = dramatiq.actor(actor_name=JOBS, queue_name=QUEUES[0], broker=broker)
    declare(_body(runtime, actors, in_hand))
    worker = dramatiq.Worker(broker, worker_timeout=IDLE, worker_threads=threads)
    worker.start()
    log.info("worker started", actors=sorted(actors), threads=threads)
    await stop.wait()
    # Twice the time: it waits for what is in hand to be handed back, and then for its consumers.
    stopping = asyncio.create_task(asyncio.to_thread(worker.stop, int(2000 * (grace + 1))))
    await asyncio.wait([stopping], timeout=grace)
    for task in in_hand:
        task.cancel()
    try:
        await stopping
    except redis.RedisError as fault:  # what it had fetched and not begun will be handed out again
        log.warning("broker away while stopping", reason=type(fault).__name__)
    log.info("worker stopped")


def _body(
    runtime: Runtime, actors: Mapping[str, Actor], in_hand: set[asyncio.Task[None]]
) -> Callable[[str, list[str]], None]:
    """What a thread of Dramatiq calls with an actor and the ids of a message: wait for the loop to do it."""
    loop = asyncio.get_running_loop()

    async def do(name: str, ids: list[UUID]) -> None:
        actor = actors.get(name)
        work = put_off(runtime, name, ids, UNKNOWN_AGAIN) if actor is None else work_off(runtime, actor, ids)
        task = asyncio.create_task(work)
        in_hand.add(task)
        await asyncio.wait([task])
        in_hand.discard(task)

    def body(name: str, ids: list[str]) -> None:
        asyncio.run_coroutine_threadsafe(do(name, [UUID(id_) for id_ in ids]), loop).result()

    return body
