"""Forgetting what is kept for a time only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.commands import forget_rows
from alliance.partnerfiles.commands import forget_content
from alliance.runtime import Runtime
from alliance.staff.commands import forget_mails
from alliance.webhooks.commands import forget
from domain.attempts.commands import forget_counts
from domain.codes.commands import forget_uses
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.retention import forget_runs
from domain.ledger import retention
from domain.messages.retention import forget_messages
from domain.passcodes.commands import forget_codes
from domain.sessions.commands import forget_sessions
from workers.actor import Work

#: For so long what became of a webhook's delivery is kept.
DELIVERIES_KEPT = timedelta(days=30)

#: Rows of a kind a job: so few that none holds its locks for long.
ROWS_A_JOB = 20_000


@dataclass(frozen=True, slots=True)
class Kept:
    """How long messages to members are kept, and what the scheduler started and was cut into many jobs."""

    messages: timedelta = timedelta(days=400)
    runs: timedelta = timedelta(days=30)


def forget_keys(kept: Kept) -> Work:
    """The actor, which forgets what is older."""

    async def act(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Delete idempotency keys, deliveries to webhooks, messages, mails to staff, runs of the scheduler, and what
        members signed in by, where they are past their time at `as_of`; where there are more, another job goes on.

        So does what rows of files said that were refused long ago, and what partners' files said: it names members.
        Args: {as_of}.
        """
        for job in jobs:
            as_of = datetime.fromisoformat(job.args["as_of"])
            await forget_rows(session, as_of)
            await forget_content(session, as_of)
            await forget_counts(session, as_of)
            await forget_codes(session, as_of)
            deleted = [
                await retention.forget_keys(session, as_of, ROWS_A_JOB),
                await forget(session, as_of - DELIVERIES_KEPT, ROWS_A_JOB),
                await forget_messages(session, as_of - kept.messages, ROWS_A_JOB),
                await forget_mails(session, as_of - kept.messages, ROWS_A_JOB),
                await forget_runs(session, as_of - kept.runs, ROWS_A_JOB),
                await forget_uses(session, as_of, ROWS_A_JOB),
                await forget_sessions(session, as_of, ROWS_A_JOB),
            ]
            if ROWS_A_JOB in deleted:
                await add_jobs(session, [NewJob("forget_keys", job.args, queue="bulk")])
        return {}

    return act
