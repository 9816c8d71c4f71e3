"""A simple actor, and short ways to add jobs and see what became of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from domain.events.commands import add_event, add_jobs
from domain.events.model import Event, HeldJob, Job, NewJob
from domain.events.queries import list_jobs
from domain.programs.model import MerchantRow
from workers.actor import Actor

Process = asyncio.subprocess.Process
Start = Callable[[str], Awaitable[Process]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Processes = Callable[[Mapping[str, Actor]], AbstractAsyncContextManager[None]]


async def note(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """An actor whose effect is an event, in the transaction of the job."""
    for job in jobs:
        await add_event(session, job.id, "noted", {"attempt": job.attempt, **job.args})
    return {}


NOTE = {"note": Actor("note", note, batch=7)}


def merchant(code: str, zone: str) -> MerchantRow:
    """A merchant of which only the time zone matters."""
    return MerchantRow(
        id=new_id(), code=code, name=code, jurisdiction="DEFAULT", timezone=zone, settings={}, settlement={}
    )


async def add(database: Database, count: int, actor: str = "note") -> None:
    """Add so many jobs, with the arguments {n: 0}, {n: 1}, ..."""
    async with database.transaction() as session:
        await add_jobs(session, [NewJob(actor, {"n": n}) for n in range(count)])


async def mark_handed_out(database: Database) -> list[UUID]:
    """As if a relay had sent all jobs; their ids."""
    async with database.transaction() as session:
        await session.execute(update(Job).values(dispatched_at=func.now()))
    return [job.id for job in await all_jobs(database)]


async def all_jobs(database: Database) -> Sequence[Job]:
    """The jobs that are there."""
    async with database.session() as session:
        return await list_jobs(session, first=10_000)


def all_done(database: Database) -> Callable[[], Awaitable[bool]]:
    """Whether no job is left."""

    async def done() -> bool:
        return not await all_jobs(database)

    return done


def has_noted(database: Database, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many jobs had their effect."""

    async def so_many() -> bool:
        return (await noted(database)).total() == count

    return so_many


async def noted(database: Database) -> Counter[int]:
    """How often each job had its effect, by its n."""
    async with database.session() as session:
        return Counter(event.data["n"] for event in await session.scalars(select(Event)))
