"""Telling who waits how far long work is: what moves is notified by its id when the transaction is committed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.commands import add_jobs
from domain.events.model import GroupState, HeldJob, JobGroup, NewJob

CHANNEL = "tessera_progress"
"""On which the id of what moved is notified: of a reconciliation, a run over a file, a group of jobs."""

_MOVED = select(func.pg_notify(CHANNEL, func.unnest(bindparam("ids", type_=ARRAY(Text)))))


async def moved(session: AsyncSession, *ids: UUID) -> None:
    """Something about these changed."""
    if ids:
        await session.execute(_MOVED, {"ids": [str(id_) for id_ in ids]})


async def add_group(session: AsyncSession, cut: HeldJob, actor: str, jobs: Sequence[NewJob]) -> None:
    """Add the jobs that this job of an actor was cut into, as a group: how far they are can be followed.

    The group has the id of the job that was cut.
    """
    if not jobs:
        return
    as_of = cut.args.get("as_of")
    group = {"id": cut.id, "actor": actor, "as_of": as_of and datetime.fromisoformat(as_of), "jobs": len(jobs)}
    await session.execute(insert(JobGroup).values(group))
    await add_jobs(session, jobs, group=cut.id)


async def groups(session: AsyncSession, first: int, after: UUID | None = None) -> list[GroupState]:
    """The newest groups, at most `first` of them; those older than `after`."""
    query = select(JobGroup.id).order_by(JobGroup.id.desc()).limit(first)
    if after is not None:
        query = query.where(JobGroup.id < after)
    found = await groups_by_id(session, list(await session.scalars(query)))
    return sorted(found.values(), key=lambda one: one.id, reverse=True)


async def groups_by_id(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, GroupState]:
    """How far these are: what of their jobs is not there any more is done."""
    rows = await session.execute(_STATES, {"ids": list(ids)})
    return {row.id: GroupState(*row) for row in rows}


async def count_groups(session: AsyncSession) -> int:
    """How many there are."""
    return (await session.scalars(select(func.count()).select_from(JobGroup))).one()


_STATES = text("""
    SELECT g.id, g.actor, g.as_of, g.started_at, g.jobs, g.jobs - coalesce(l.left, 0) AS done,
           coalesce(l.failed, 0) AS failed
    FROM job_group g LEFT JOIN LATERAL (
        SELECT count(*) AS left, count(failed_at) AS failed FROM job j WHERE j.group_id = g.id) AS l ON true
    WHERE g.id = ANY(CAST(:ids AS uuid[]))
""")
