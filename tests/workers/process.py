"""Run by tests as a process of its own: `python process.py ROLE DATABASE_URL REDIS_URL`.

The roles of the command line, and `stuck`: a worker whose actor never ends. It says `begun` when its effect is written
and not committed.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from domain.events.commands import add_event
from domain.events.model import HeldJob
from workers.actor import Actor
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

    def secret(self, name: str) -> bytes:
        """A secret for tests."""
        return name.encode() * 8

    def log_keys(self) -> list[PrivateKey]:
        """A key for tests."""
        return [PrivateKey("log.test", bytes(32))]


async def stuck(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Write the effect, and wait for ever."""
    for job in jobs:
        await add_event(session, job.id, "noted", {"attempt": job.attempt, **job.args})
    print("begun", flush=True)
    await asyncio.Event().wait()
    return {}


def run_stuck(settings: Settings) -> None:
    """A worker with that actor alone."""
    run_worker(settings, known=lambda secret: {"note": Actor("note", stuck, batch=7)})


ROLES = {"relay": run_relay, "worker": run_worker, "scheduler": run_scheduler, "stuck": run_stuck}

if __name__ == "__main__":
    role, database_url, redis_url = sys.argv[1:]
    ROLES[role](Settings(database_url, redis_url))
