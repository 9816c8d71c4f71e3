"""Adding events and jobs; the life of a job: handed out, begun, held, done or failed; retried or discarded by hand.

All in the caller's transaction, many rows a statement, and by the database's clock.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, bindparam, case, delete, func, literal, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.errors import NotFound
from domain.events.errors import JobNotFailed
from domain.events.model import (
    CHANNEL,
    Event,
    Failure,
    HandedOut,
    HeldJob,
    Job,
    NewEvent,
    NewJob,
    RetryPolicy,
    ScheduledRun,
)
from domain.events.origin import Origin, origin


async def add_job(
    session: AsyncSession,
    actor: str,
    args: dict[str, Any],
    *,
    queue: str = "default",
    available_at: datetime | None = None,
    dedupe: str | None = None,
) -> None:
    """Add one job; see `add_jobs`."""
    await add_jobs(session, [NewJob(actor, args, queue, available_at, dedupe)])


async def add_jobs(session: AsyncSession, jobs: Sequence[NewJob], group: UUID | None = None) -> None:
    """Add jobs (of a group), which are done if and only if this transaction commits, and wake the relay.

    Whoever asked for the work in hand asks for them. One whose `dedupe` is that of a job still there is left out.
    """
    if not jobs:
        return
    asker = origin()
    rows = [
        {
            "id": new_id(),
            "actor": job.actor,
            "args": job.args,
            "queue": job.queue,
            "at": job.available_at,
            "dedupe": job.dedupe,
            "request_id": asker.request_id,
            "traceparent": asker.traceparent,
            "group_id": group,
        }
        for job in jobs
    ]
    statement = insert(Job).values(
        available_at=func.coalesce(bindparam("at", type_=DateTime(timezone=True)), func.now())
    )
    statement = statement.on_conflict_do_nothing(index_elements=["dedupe"], index_where=text("dedupe IS NOT NULL"))
    await session.execute(statement, rows)
    await session.execute(select(func.pg_notify(CHANNEL, "")))  # PostgreSQL sends equal ones of a transaction once


async def add_events(session: AsyncSession, events: Sequence[NewEvent]) -> None:
    """Add events. Their data carry ids, nothing personal."""
    if events:
        await session.execute(insert(Event), [event.row() for event in events])


async def add_event(session: AsyncSession, holder_id: UUID, kind: str, data: dict[str, Any], *seen_by: UUID) -> None:
    """Add one event; see `add_events`."""
    await add_events(session, [NewEvent(holder_id, kind, data, seen_by)])


async def hand_out(
    session: AsyncSession, actors: Collection[str], queue: str, limit: int, again_after: timedelta
) -> list[HandedOut]:
    """Take at most `limit` due jobs of these actors for the broker, longest due first.

    Each is due again after `again_after` unless it is done by then. Jobs that another relay or a worker has locked are
    passed over.
    """
    due = (
        select(Job.id, (func.now() - Job.available_at).label("waited"))
        .where(Job.failed_at.is_(None), Job.available_at <= func.now())
        .where(Job.queue == queue, Job.actor.in_(actors))
        .order_by(Job.available_at, Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        update(Job)
        .where(Job.id == due.c.id)
        .values(dispatched_at=func.now(), available_at=func.now() + again_after)
        .returning(Job.id, Job.actor, Job.attempts, due.c.waited)
    )
    return [HandedOut(*row) for row in await session.execute(taken)]


async def begin(session: AsyncSession, ids: Collection[UUID], policy: RetryPolicy) -> dict[UUID, int]:
    """Count an attempt of each job that was handed out; id -> number of the attempt.

    In a transaction of its own, so that an attempt which kills its worker counts too. Left out are jobs that are done,
    that another worker has in hand, or that have no attempt left: those fail.
    """
    free = (
        select(Job.id)
        .where(Job.id.in_(ids), Job.failed_at.is_(None), Job.dispatched_at.is_not(None))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    left = Job.attempts < policy.max_attempts
    begun = (
        update(Job)
        .where(Job.id == free.c.id)
        .values(
            attempts=case((left, Job.attempts + 1), else_=Job.attempts),
            failed_at=case((left, None), else_=func.now()),
            last_error=case((left, Job.last_error), else_=literal("its worker ended during the last attempt")),
        )
        .returning(Job.id, Job.attempts, Job.failed_at)
    )
    return {id_: attempts for id_, attempts, failed_at in await session.execute(begun) if failed_at is None}


async def hold(session: AsyncSession, begun: dict[UUID, int]) -> list[HeldJob]:
    """Lock the jobs of these attempts until the transaction ends, and with them keep others away.

    Left out are those that someone else began since, or has in hand.
    """
    query = (
        select(Job.id, Job.args, Job.attempts, Job.request_id, Job.traceparent, Job.group_id)
        .where(Job.id.in_(begun), Job.failed_at.is_(None), Job.dispatched_at.is_not(None))
        .order_by(Job.id)
        .with_for_update(skip_locked=True)
    )
    rows = await session.execute(query)
    return [
        HeldJob(id_, args, attempt, Origin(request_id or id_.hex, traceparent), group)
        for id_, args, attempt, request_id, traceparent, group in rows
        if begun[id_] == attempt
    ]


async def hand_back(session: AsyncSession, begun: dict[UUID, int]) -> None:
    """Undo that these attempts were begun: each job is due at once. An attempt that was overtaken changes nothing."""
    if begun:
        mine = tuple_(Job.id, Job.attempts).in_(list(begun.items()))
        waiting = {"dispatched_at": None, "available_at": func.now(), "attempts": Job.attempts - 1}
        await session.execute(update(Job).where(mine, Job.failed_at.is_(None)).values(waiting))
        await session.execute(select(func.pg_notify(CHANNEL, "")))


async def defer(session: AsyncSession, ids: Collection[UUID], delay: timedelta) -> None:
    """Take jobs back that were handed out and not begun; each is due after `delay`."""
    free = select(Job.id).where(Job.id.in_(ids)).with_for_update(skip_locked=True)
    waiting = {"dispatched_at": None, "available_at": func.now() + delay}
    await session.execute(update(Job).where(Job.id.in_(free), Job.failed_at.is_(None)).values(waiting))


async def finish(session: AsyncSession, ids: Collection[UUID]) -> None:
    """Delete jobs that are done, in the transaction of their effect."""
    if ids:
        await session.execute(delete(Job).where(Job.id.in_(ids)))


async def fail(session: AsyncSession, failures: Sequence[Failure], policy: RetryPolicy) -> None:
    """Note failed attempts: each job waits for its next one, or has failed for good.

    The wait is the policy's first delay doubled each time, spread by a quarter so that what failed together does not
    come back together. An attempt that was overtaken by another changes nothing.
    """
    if not failures:
        return
    await session.execute(
        _FAIL,
        {
            "ids": [failure.job.id for failure in failures],
            "attempts": [failure.job.attempt for failure in failures],
            "reasons": [failure.why for failure in failures],
            "finals": [failure.final for failure in failures],
            "max_attempts": policy.max_attempts,
            "first_delay": policy.first_delay,
            "max_delay": policy.max_delay,
        },
    )


_FAIL = text("""
    UPDATE job SET
        dispatched_at = NULL,
        available_at = now() + (0.75 + random() / 2) * interval '1 second'
            * least(CAST(:max_delay AS float8), CAST(:first_delay AS float8) * 2 ^ least(attempts - 1, 30)),
        failed_at = CASE WHEN failure.final OR attempts >= CAST(:max_attempts AS bigint) THEN now() END,
        last_error = failure.why,
        history = history || jsonb_build_object('attempt', attempts, 'at', now(), 'error', failure.why)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS bigint[]), CAST(:reasons AS text[]), CAST(:finals AS boolean[]))
        AS failure (id, attempt, why, final)
    WHERE job.id = failure.id AND attempts = failure.attempt AND failed_at IS NULL
""")


async def retry_job(session: AsyncSession, job_id: UUID) -> None:
    """Give a failed job all its attempts again, now. Raises NotFound, JobNotFailed."""
    await _lock_failed(session, job_id)
    renewed = {"failed_at": None, "dispatched_at": None, "attempts": 0, "available_at": func.now()}
    await session.execute(update(Job).where(Job.id == job_id).values(renewed))
    await session.execute(select(func.pg_notify(CHANNEL, "")))


async def discard_job(session: AsyncSession, job_id: UUID) -> None:
    """Delete a failed job, undone. Raises NotFound, JobNotFailed."""
    await _lock_failed(session, job_id)
    await session.execute(delete(Job).where(Job.id == job_id))


async def start_run(session: AsyncSession, name: str, due_at: datetime) -> bool:
    """Whether the scheduled work of that name and time is the caller's to start: true once, ever."""
    statement = insert(ScheduledRun).values(name=name, due_at=due_at).on_conflict_do_nothing()
    return (await session.execute(statement.returning(ScheduledRun.name))).first() is not None


async def _lock_failed(session: AsyncSession, job_id: UUID) -> None:
    query = select(Job.failed_at).where(Job.id == job_id).with_for_update()
    row = (await session.execute(query)).first()
    if row is None:
        raise NotFound(what="job")
    if row.failed_at is None:
        raise JobNotFailed()
