"""Disputes between merchants that silence decides (A10), once the deadline of whoever they wait for has passed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.disputes.attachments import forget_unused
from alliance.disputes.deciding import apply_silences
from alliance.runtime import Runtime
from domain.events.model import HeldJob

log = structlog.get_logger("worker")

UNUSED = timedelta(days=7)
"""How long a file waits for the claim that it is for."""


async def disputes(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Apply the silences of `as_of`, and delete files that no claim came for. Args: {as_of}.

    Needs no key: what is decided waits for nobody.
    """
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        done = 0
        while True:
            async with runtime.database.transaction() as step:
                now = await apply_silences(step, runtime.catalogue.alliance, as_of)
            if not now:
                break
            done += now
        async with runtime.database.transaction() as step:
            await forget_unused(step, as_of - UNUSED)
        log.info("silence decided", disputes=done)
    return {}
