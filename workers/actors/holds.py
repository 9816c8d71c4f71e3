"""Lapsed holds (R14) and expired quotes (A4): gives back what they keep past their time. Cut by ranges of holder_id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.holds import lapse_request
from alliance.exchange.reservations import let_go
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.commands import add_job, add_jobs
from domain.events.model import HeldJob, NewJob
from domain.ledger.due import DueHold, cut_lapsing_holders, due_holds
from domain.ledger.errors import HolderStopped
from workers.actors.ranges import bounds, ranges

#: Holders a job.
HOLDERS_A_JOB = 2000

#: Quotes a job.
QUOTES_A_JOB = 2000

#: Holds a posting.
HOLDS_AT_ONCE = 500


async def lapse(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders who have holds past their time at `as_of` into ranges, and add a job for each. Args: {as_of}.

    What quotes have reserved that expired is let go here, and by a job more where there are too many.
    """
    for job in jobs:
        firsts = await cut_lapsing_holders(session, datetime.fromisoformat(job.args["as_of"]), HOLDERS_A_JOB)
        cut = ranges(firsts, as_of=job.args["as_of"])
        await add_jobs(session, [NewJob("lapse_range", args, queue="bulk") for args in cut])
        if await let_go(session, datetime.fromisoformat(job.args["as_of"]), QUOTES_A_JOB) == QUOTES_A_JOB:
            await add_job(session, "lapse", job.args)
    return {}


async def lapse_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Lapse the holds of holders from `first` to before `before` (null: to the last) that are past their time.

    Needs no key: what has lapsed is not due again.
    """
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        if refusal := await lapse_holds(runtime, session, as_of, *bounds(job.args)):
            failed[job.id] = refusal
    return failed


async def lapse_holds(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Lapse what is due in a range; the first refusal, if there was one but that a holder is stopped."""
    refusals: list[Refusal] = []
    after: DueHold | None = None
    while due := await due_holds(session, as_of, first, before, after, HOLDS_AT_ONCE):
        outcomes = await runtime.engine.post_many([lapse_request(hold, as_of) for hold in due])
        refusals += [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
        after = due[-1]
    return refusals[0] if refusals else None
