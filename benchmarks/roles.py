"""Run by `tessera bench workers` as a process of its own: `python -m benchmarks.roles ROLE`.

`relay`, `scheduler` and `worker` are ours, with one actor whose effect is a row; `dramatiq` is a worker as people set
it up, whose actor does nothing.
"""

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.events.commands import add_events
from domain.events.model import HeldJob, NewEvent
from server.settings import Settings, get_settings
from workers.actor import Actor
from workers.relay import run_relay
from workers.scheduler import run_scheduler
from workers.worker import run_worker

ACTOR = "note"
QUEUE = "noop"
THREADS = 8


async def note(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """An event a job, in the transaction that deletes the jobs."""
    await add_events(session, [NewEvent(job.id, "noted", job.args) for job in jobs])
    return {}


def actors(secret: bytes) -> dict[str, Actor]:
    """In place of all the others."""
    return {ACTOR: Actor(ACTOR, note, batch=100)}


def noop_broker(settings: Settings) -> RedisBroker:
    """The broker of the baseline: with what Dramatiq has round every message by default."""
    broker = RedisBroker(url=settings.redis_url, namespace="noop")  # type: ignore[no-untyped-call]
    broker.declare_queue(QUEUE)
    return broker


def noop_actor(broker: RedisBroker) -> Any:
    """Takes a number and does nothing."""

    def do_nothing(number: int) -> None:
        pass

    return dramatiq.actor(actor_name=QUEUE, queue_name=QUEUE, broker=broker)(do_nothing)


def main(role: str) -> None:
    """Run until SIGTERM."""
    settings = get_settings()
    if role == "relay":
        run_relay(settings, known=actors)
    elif role == "worker":
        run_worker(settings, known=actors)
    elif role == "scheduler":
        run_scheduler(settings)
    else:
        broker = noop_broker(settings)
        noop_actor(broker)
        dramatiq.Worker(broker, worker_threads=THREADS).start()
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
