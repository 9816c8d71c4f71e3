"""Stages of members, each night: how long ago they bought. Cut by ranges of holder_id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.programs.catalogue import Catalogue
from domain.programs.living import StageTerms
from domain.stages.commands import cut_members, derive
from domain.stages.model import ALLIANCE
from workers.actors.ranges import bounds, ranges

#: Members a job.
MEMBERS_A_JOB = 5000


async def stages(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut all members into ranges, a job for each, where members have stages. Args: {as_of}."""
    await runtime.refresh()
    if runtime.catalogue.members.life.stages is not None:
        for job in jobs:
            cut = ranges(await cut_members(session, MEMBERS_A_JOB), as_of=job.args["as_of"])
            await add_jobs(session, [NewJob("stages_range", args, queue="bulk") for args in cut])
    return {}


async def stages_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Derive the stages of members from `first` to before `before` at `as_of`, and tell of those that changed.

    Needs no key: it is a statement of the job's own transaction, and done again it changes nothing.
    """
    await runtime.refresh()
    terms = terms_of(runtime.catalogue)
    for job in jobs:
        await derive(session, terms, datetime.fromisoformat(job.args["as_of"]), *bounds(job.args))
    return {}


def terms_of(catalogue: Catalogue) -> dict[UUID, StageTerms]:
    """The terms of every place: a merchant's own, else the alliance's; none where members have no stages."""
    life = catalogue.members.life
    if life.stages is None:
        return {}
    own = {one.id: life.stages_at.get(code, life.stages) for code, one in catalogue.merchants.items()}
    return {ALLIANCE: life.stages} | own
