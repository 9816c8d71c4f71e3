"""What an actor is, and how a message of its jobs is worked off: exactly once in effect, however often delivered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.commands import begin, defer, fail, finish, hand_back, hold
from domain.events.model import Failure, HeldJob, RetryPolicy
from domain.events.progress import moved
from workers import telemetry
from workers.process import OUTAGES

log = structlog.get_logger("worker")

Work = Callable[[Runtime, AsyncSession, Sequence[HeldJob]], Awaitable[Mapping[UUID, Exception]]]


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that does jobs. `work` is given at most `batch` of them and answers with those that failed, by id.

    Its session is the transaction that holds the jobs and will delete the ones that are done: an effect written there
    happens exactly once. What is posted to the ledger instead carries a key made from the job's id.
    `time_limit` is in seconds.
    """

    name: str
    work: Work
    batch: int = 1
    time_limit: float = 300.0
    policy: RetryPolicy = field(default_factory=RetryPolicy)


async def work_off(runtime: Runtime, actor: Actor, ids: Sequence[UUID]) -> None:
    """Do the jobs of one message, as far as they are still to be done. Raises nothing but what stops the process.

    Cancelled, it hands them back: another worker has them at once, and the attempt does not count.
    """
    begun: dict[UUID, int] = {}
    began = time.perf_counter()
    try:
        async with runtime.database.transaction() as session:
            begun = await begin(session, ids, actor.policy)
        if begun:
            await _attempt(runtime, actor, begun)
    except asyncio.CancelledError:
        await _hand_back(runtime, actor, begun)
        raise
    except Exception as fault:
        log.error("jobs failed", actor=actor.name, jobs=len(ids), reason=_describe(fault), exc_info=fault)
        await _note_failure(runtime, actor, begun, fault, began)


async def put_off(runtime: Runtime, actor: str, ids: Sequence[UUID], delay: timedelta) -> None:
    """Let jobs of an actor that this worker does not know wait a while: nothing was tried, so nothing failed."""
    log.error("no such actor here: its jobs wait for a worker that has it", actor=actor, jobs=len(ids))
    telemetry.unknown(actor, len(ids))
    try:
        async with runtime.database.transaction() as session:
            await defer(session, ids, delay)
    except OUTAGES as outage:
        log.warning("jobs not put off", actor=actor, reason=_describe(outage))


async def _hand_back(runtime: Runtime, actor: Actor, begun: dict[UUID, int]) -> None:
    """Not while the database is away: the jobs are due again anyway."""
    try:
        async with runtime.database.transaction() as session:
            await hand_back(session, begun)
        log.info("jobs handed back", actor=actor.name, jobs=len(begun))
    except OUTAGES as outage:
        log.warning("jobs not handed back", actor=actor.name, reason=_describe(outage))


async def _attempt(runtime: Runtime, actor: Actor, begun: dict[UUID, int]) -> None:
    """One attempt: what succeeded is deleted, what failed is noted, in the transaction of the effect."""
    began = time.perf_counter()
    async with asyncio.timeout(actor.time_limit), runtime.database.transaction() as session:
        jobs = await hold(session, begun)
        if not jobs:
            return
        with telemetry.doing(actor.name, jobs):
            errors = await actor.work(runtime, session, jobs)
        await finish(session, [job.id for job in jobs if job.id not in errors])
        failures = [_failure(job, errors[job.id]) for job in jobs if job.id in errors]
        await fail(session, failures, actor.policy)
        await moved(session, *{job.group for job in jobs if job.group is not None})
    telemetry.attempted(actor.name, len(jobs) - len(failures), failures, time.perf_counter() - began)
    for failure in failures:
        told = {"job": str(failure.job.id), "request_id": failure.job.origin.request_id}
        log.warning("job failed", actor=actor.name, reason=failure.why, final=failure.final, **told)


async def _note_failure(runtime: Runtime, actor: Actor, begun: dict[UUID, int], fault: Exception, began: float) -> None:
    """Note that an attempt was undone as a whole. Not while the database is away: the jobs are due again anyway."""
    try:
        async with runtime.database.transaction() as session:
            failures = [_failure(HeldJob(id_, {}, attempt), fault) for id_, attempt in begun.items()]
            await fail(session, failures, actor.policy)
        telemetry.attempted(actor.name, 0, failures, time.perf_counter() - began)
    except OUTAGES as outage:
        log.warning("failure not noted", actor=actor.name, reason=_describe(outage))


def _failure(job: HeldJob, error: Exception) -> Failure:
    """A refusal would be the same the next time; anything else may pass."""
    return Failure(job, _describe(error), final=isinstance(error, Refusal))


def _describe(error: BaseException) -> str:
    """The kind of an error and the first line of its text; the further lines of a database error quote data."""
    if isinstance(error, Refusal):
        return f"{error.code} at {'.'.join(error.path) or 'the top'}"
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"[:500]
