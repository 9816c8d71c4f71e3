"""Re-rating: puts lines right block by block, each in a transaction of its own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.rerating.commands import put_right
from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob

#: Blocks a job: what is numbered in the order of transactions waits for the one that holds the job.
BLOCKS = 10


async def rerate(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Put some blocks right, and ask for the next job if those were not the last. Args: {rerate, as_of}.

    Needs no key: what was put right is not put right again.
    """
    await runtime.refresh()
    for job in jobs:
        more = True
        for _ in range(BLOCKS):
            async with runtime.database.transaction() as block:
                more = more and await put_right(
                    block, runtime, UUID(job.args["rerate"]), datetime.fromisoformat(job.args["as_of"])
                )
        if more:
            await add_jobs(session, [NewJob("rerate", job.args, queue="bulk")])
    return {}
