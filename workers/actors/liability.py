"""Months are closed: what issuers still owe for points that are out, at the end of each (A13)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.liability.closing import close_months
from alliance.runtime import Runtime
from domain.events.model import HeldJob

log = structlog.get_logger("worker")


async def close_month(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Close the months that are over at `as_of`. Args: {as_of}. Needs no key: what is closed is not closed again."""
    await runtime.refresh()
    for job in jobs:

        def told(step: str, done: int, total: int) -> None:
            log.info("closing months", step=step, done=done, total=total)

        as_of = datetime.fromisoformat(job.args["as_of"])
        closed = await close_months(session, runtime.catalogue, as_of, progress=told)
        log.info("months closed", months=len(closed))
    return {}
