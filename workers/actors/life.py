"""The life of members: freezes whose time is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.events.commands import add_job
from domain.events.model import HeldJob
from domain.members import life as members

#: Members a job.
AT_ONCE = 2000


async def life(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Write which freezes are over; by a job more where there are too many. Args: {as_of}.

    Needs no key: what was written is not due again.
    """
    for job in jobs:
        if await members.thaw(session, datetime.fromisoformat(job.args["as_of"]), AT_ONCE) == AT_ONCE:
            await add_job(session, "life", job.args, queue="bulk")
    return {}
