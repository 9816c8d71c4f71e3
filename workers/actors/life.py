"""The life of members: freezes that are over, members who leave, and what is left of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.leaving.commands import settle
from alliance.runtime import Runtime
from domain.events.commands import add_job, add_jobs
from domain.events.model import HeldJob, NewJob
from domain.members import leaving
from domain.members import life as members
from workers.actors.ranges import bounds, ranges

#: Members a job.
AT_ONCE = 2000


async def life(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Write which freezes are over, close those whose time to think is over, and cut all of whom anything is left into
    ranges, a job for each. By a job more where there are too many. Args: {as_of}.

    Needs no key: what was written is not due again.
    """
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        thawed, closed = await members.thaw(session, as_of, AT_ONCE), await leaving.close_due(session, as_of, AT_ONCE)
        if AT_ONCE in (thawed, closed):
            await add_job(session, "life", job.args, queue="bulk")
        cut = ranges(await leaving.cut_unsettled(session, AT_ONCE), as_of=job.args["as_of"])
        await add_jobs(session, [NewJob("settle_left", args, queue="bulk") for args in cut])
    return {}


async def settle_left(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Settle what is left of members from `first` to before `before` (null: to the last) who have left.

    Needs no key: what is settled is not left.
    """
    await runtime.refresh()
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        if refusal := await settle(runtime, session, as_of, *bounds(job.args)):
            failed[job.id] = refusal
    return failed
