"""Run by tests as a process of its own: `python process.py ROLE DATABASE_URL REDIS_URL`.

The roles of the command line; `files`: a worker that reads files wherever they lie; `courier`: one that does no job and
delivers to webhooks; `notes-relay` and `notes`, which know only jobs whose effect is an event; and `stuck`: a worker
whose actor never ends. It says `begun` when its effect is written and not committed.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from domain.codes.rules import Codes
from domain.events.commands import add_event
from domain.events.model import HeldJob
from domain.privacy.keys import KeyProvider
from server.events import cloud_event
from server.settings import Settings as RealSettings
from workers.actor import Actor, Work
from workers.actors import Known, all_actors
from workers.feeds.files import Sources
from workers.relay import run_relay
from workers.scheduler import run_scheduler
from workers.worker import run_worker


@dataclass(frozen=True)
class Settings:
    """What the processes read."""

    database_url: str
    redis_url: str
    worker_threads: int = 2
    job_redelivery: float = 1.0
    shutdown_seconds: float = 1.0
    stall_seconds: float = 60.0
    feed_poll: float = 60.0
    webhook_private: bool = True

    def secret(self, name: str) -> bytes:
        """A secret for tests."""
        return name.encode() * 8

    def log_keys(self) -> list[PrivateKey]:
        """A key for tests."""
        return [PrivateKey("log.test", bytes(32))]

    def keys(self) -> KeyProvider:
        """The keys of all tests."""
        return RealSettings().keys()

    def codes(self) -> Codes | None:
        """These processes take no codes."""
        return None


async def note(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Write the effect."""
    for job in jobs:
        await add_event(session, job.id, "noted", {"attempt": job.attempt, **job.args})
    return {}


async def stuck(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Write the effect, and wait for ever."""
    await note(runtime, session, jobs)
    print("begun", flush=True)
    await asyncio.Event().wait()
    return {}


def only(work: Work) -> Known:
    """That actor alone."""
    return lambda secret: {"note": Actor("note", work, batch=7)}


def reading(secret: bytes) -> Mapping[str, Actor]:
    """All actors; any folder may be read."""
    return all_actors(secret, sources=Sources(("file:///",), timedelta(0)))


ROLES = {
    "relay": run_relay,
    "worker": run_worker,
    "scheduler": run_scheduler,
    "files": partial(run_worker, known=reading),
    "courier": partial(run_worker, known=lambda _: {}, write=cloud_event),
    "stuck": partial(run_worker, known=only(stuck)),
    "notes": partial(run_worker, known=only(note)),
    "notes-relay": partial(run_relay, known=only(note)),
}

if __name__ == "__main__":
    role, database_url, redis_url = sys.argv[1:]
    ROLES[role](Settings(database_url, redis_url))
