"""Looking for members who are one person, each night. Cut by ranges of holder_id, which a group of jobs shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.duplicates.commands import note_keys, propose
from domain.duplicates.queries import cut_members
from domain.errors import Refusal
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from workers.actors.ranges import bounds, ranges

#: Members a job: what is known of so many, and of those they are compared with, is in memory at once.
MEMBERS_A_JOB = 5000


async def duplicates(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut all members into ranges, a job for each, where the alliance file says by what is looked. Args: {as_of}."""
    await runtime.refresh()
    if runtime.catalogue.members.duplicates is not None:
        for job in jobs:
            cut = ranges(await cut_members(session, MEMBERS_A_JOB), as_of=job.args["as_of"])
            await add_group(
                session, job, "duplicates", [NewJob("duplicates_range", args, queue="bulk") for args in cut]
            )
    return {}


async def duplicates_range(
    runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]
) -> Mapping[UUID, Exception]:
    """Compare members from `first` to before `before` with all there are. Done again, the same comes out.

    What others may share with them is committed first: see `domain.duplicates.commands`.
    """
    await runtime.refresh()
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of, (first, before) = datetime.fromisoformat(job.args["as_of"]), bounds(job.args)
        try:
            async with runtime.database.transaction() as own:
                await note_keys(own, runtime.catalogue, first, before)
            await propose(session, runtime.catalogue, first, before, as_of)
        except Refusal as refusal:
            failed[job.id] = refusal
    return failed
