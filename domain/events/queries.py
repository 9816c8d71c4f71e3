"""Reading jobs, for operators."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.model import Job, QueueState, ScheduledRun

T = TypeVar("T")


async def list_jobs(
    session: AsyncSession,
    *,
    failed: bool | None = None,
    actor: str | None = None,
    first: int = 50,
    after: UUID | None = None,
) -> Sequence[Job]:
    """Jobs by id, that is in the order they were added: all, or those that have (not) failed for good, or one actor's.

    At most `first` of them, after the job `after`.
    """
    query = _chosen(select(Job), failed, actor).order_by(Job.id).limit(first)
    if after is not None:
        query = query.where(Job.id > after)
    return (await session.scalars(query)).all()


async def count_jobs(session: AsyncSession, *, failed: bool | None = None, actor: str | None = None) -> int:
    """How many jobs `list_jobs` would list in all."""
    return (await session.scalars(_chosen(select(func.count()).select_from(Job), failed, actor))).one()


def _chosen(query: Select[T], failed: bool | None, actor: str | None) -> Select[T]:
    if failed is not None:
        query = query.where(Job.failed_at.is_not(None) if failed else Job.failed_at.is_(None))
    return query if actor is None else query.where(Job.actor == actor)


async def jobs_by_id(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Job]:
    """The jobs of these ids that are still there, with their arguments and the history of their attempts."""
    return {job.id: job for job in await session.scalars(select(Job).where(Job.id.in_(ids)))}


async def last_runs(session: AsyncSession) -> list[tuple[str, datetime]]:
    """The scheduled work by name, with the time for which each was last started."""
    query = select(ScheduledRun.name, func.max(ScheduledRun.due_at)).group_by(ScheduledRun.name)
    return [(name, due_at) for name, due_at in await session.execute(query.order_by(ScheduledRun.name))]


async def any_due(connection: asyncpg.Connection, actors: Sequence[str]) -> bool:
    """Whether a job of these actors is to be handed out."""
    found = """SELECT EXISTS (SELECT FROM job WHERE failed_at IS NULL AND available_at <= now()
                              AND actor = ANY ($1))"""
    return bool(await connection.fetchval(found, actors))


async def queue_state(session: AsyncSession) -> list[QueueState]:
    """What is in the table of jobs, by queue and actor."""
    waiting = Job.failed_at.is_(None)
    due = waiting & Job.dispatched_at.is_(None) & (Job.available_at <= func.now())
    query = select(
        Job.queue,
        Job.actor,
        func.count().filter(waiting),
        func.count().filter(Job.failed_at.is_not(None)),
        func.coalesce(func.extract("epoch", func.now() - func.min(Job.available_at).filter(due)), 0),
    ).group_by(Job.queue, Job.actor)
    return [QueueState(*row[:4], seconds=float(row[4])) for row in await session.execute(query)]
