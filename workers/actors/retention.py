"""Forgetting what is kept for a time only."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.commands import forget_rows
from alliance.runtime import Runtime
from alliance.webhooks.commands import forget
from domain.codes.commands import forget_uses
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.ledger import retention
from domain.sessions.commands import forget_sessions

#: For so long what became of a webhook's delivery is kept.
DELIVERIES_KEPT = timedelta(days=30)

#: Keys a job: so few that none holds its locks for long.
KEYS_A_JOB = 20_000


async def forget_keys(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Delete idempotency keys, deliveries to webhooks and used codes and sessions of members that are past their
    time at `as_of`; where there are more, another job goes on.

    So does what rows of files said that were refused long ago: it names members. Args: {as_of}.
    """
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        await forget_rows(session, as_of)
        forgotten = await retention.forget_keys(session, as_of, KEYS_A_JOB)
        done = await forget(session, as_of - DELIVERIES_KEPT, KEYS_A_JOB)
        used = await forget_uses(session, as_of, KEYS_A_JOB)
        over = await forget_sessions(session, as_of, KEYS_A_JOB)
        if KEYS_A_JOB in (forgotten, done, used, over):
            await add_jobs(session, [NewJob("forget_keys", job.args, queue="bulk")])
    return {}
