"""The worker: takes messages off the broker and does their jobs.

Dramatiq's threads only wait: the work is done on one event loop, with one Runtime and so one posting engine a process.
"""

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from alliance.runtime import Runtime
from workers.actor import Actor, work_off
from workers.actors import Known, all_actors
from workers.broker import QUEUES, make_broker
from workers.process import Page, Parts, Settings, no_page, required, run_until_stopped

log = structlog.get_logger("worker")

#: Milliseconds between looks at an idle queue: 0.1 s of latency on a quiet system for about 3 % of a core.
IDLE_POLL = 100

#: Milliseconds that jobs in hand get to finish when the process is told to stop; then they are undone, and due again.
#: Dramatiq may wait as long once more for its consumers; both must be over in 5 seconds.
GRACE = 1500


def run_worker(settings: Settings, page: Page = no_page, known: Known = all_actors) -> None:
    """Do jobs until SIGTERM or SIGINT."""
    database_url = required(settings.database_url, "database_url")
    broker = make_broker(required(settings.redis_url, "redis_url"))
    actors = known(settings.secret("fingerprint"))

    async def serve(stop: asyncio.Event) -> None:
        threads = settings.worker_threads
        # Each message keeps a connection while it holds its jobs, and may need another to do them.
        async with Runtime.open(database_url, pool_size=2 * threads) as runtime, asyncio.TaskGroup() as tasks:
            tasks.create_task(page(stop, Parts(runtime.database, broker, runtime.engine)))
            tasks.create_task(work(runtime, broker, stop, actors=actors, threads=threads))
        broker.client.close()

    run_until_stopped(serve, settings.stall_seconds)


async def work(
    runtime: Runtime,
    broker: RedisBroker,
    stop: asyncio.Event,
    *,
    actors: Mapping[str, Actor],
    threads: int,
) -> None:
    """Do jobs of these actors until told to stop."""
    in_hand: set[asyncio.Task[None]] = set()
    for actor in actors.values():
        declare = dramatiq.actor(actor_name=actor.name, queue_name=QUEUES[0], broker=broker)
        declare(_body(runtime, actor, in_hand))
    worker = dramatiq.Worker(broker, worker_timeout=IDLE_POLL, worker_threads=threads)
    worker.start()
    log.info("worker started", actors=sorted(actors), threads=threads)
    await stop.wait()
    stopping = asyncio.create_task(asyncio.to_thread(worker.stop, GRACE))
    await asyncio.wait([stopping], timeout=GRACE / 1000)
    for task in in_hand:
        task.cancel()
    try:
        await stopping
    except redis.RedisError as fault:  # what it had fetched and not begun will be handed out again
        log.warning("broker away while stopping", reason=type(fault).__name__)
    log.info("worker stopped")


def _body(runtime: Runtime, actor: Actor, in_hand: set[asyncio.Task[None]]) -> Callable[[list[str]], None]:
    """What a thread of Dramatiq calls with the ids of a message: wait for the loop to do it."""
    loop = asyncio.get_running_loop()

    async def do(ids: list[UUID]) -> None:
        task = asyncio.create_task(work_off(runtime, actor, ids))
        in_hand.add(task)
        await asyncio.wait([task])
        in_hand.discard(task)

    def body(ids: list[str]) -> None:
        asyncio.run_coroutine_threadsafe(do([UUID(id_) for id_ in ids]), loop).result()

    return body
