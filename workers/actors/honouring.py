"""Points of merchants in default: partners who take them are paid from the reserve, until its days are over (A12)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.defaults.honouring import end_honouring, pay_honoured
from alliance.runtime import Runtime
from domain.events.model import HeldJob

log = structlog.get_logger("worker")


async def honour(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Pay what was taken by `as_of`, and end what is over. Args: {as_of}. Needs no key: what is paid is not due."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        async with runtime.database.transaction() as step:
            paid = await pay_honoured(step, runtime.catalogue.alliance, as_of)
        async with runtime.database.transaction() as step:
            ended = await end_honouring(step, as_of)
        log.info("points honoured", paid=paid, ended=len(ended))
    return {}
