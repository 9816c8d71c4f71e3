"""Tags by rule, each night, cut by ranges of holder_id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.profiles.tagging import rules_of, run
from domain.stages.commands import cut_members
from workers.actors.ranges import bounds, ranges

log = structlog.get_logger("tags")

#: Members a job.
MEMBERS_A_JOB = 5000


async def tags(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut all members into ranges, a job for each, where tags have rules. Args: {as_of}."""
    await runtime.refresh()
    if any(tag.when is not None for tag in runtime.catalogue.members.tags):
        for job in jobs:
            cut = ranges(await cut_members(session, MEMBERS_A_JOB), as_of=job.args["as_of"])
            await add_jobs(session, [NewJob("tags_range", args, queue="bulk") for args in cut])
    return {}


async def tags_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Put and take tags by rule, on members from `first` to before `before` at `as_of`, in the job's transaction.

    What a rule could not tell of a member is logged, by rule, without the member.
    """
    await runtime.refresh()
    rules = rules_of(runtime.catalogue)
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        for name, tally in (await run(session, runtime.catalogue, rules, bounds(job.args), as_of)).items():
            if tally.failed:
                log.warning("a rule failed for members", tag=name, members=tally.failed, why=tally.why)
    return {}
