"""Unattended settlement: closes the cycle at its cut-off and takes closed ones on, by the alliance's calendar."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from alliance.settlement.errors import EarlierCycleOpen, WrongCycleStatus
from alliance.settlement.schedule import advance_due, close_due
from domain.events.model import HeldJob

log = structlog.get_logger("worker")


async def settle(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Do what is due at `as_of`. Args: {as_of}. Needs no key: what was done is not due again."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        try:
            await _settle(runtime, as_of)
        except (WrongCycleStatus, EarlierCycleOpen) as refusal:
            # Someone took the cycle on at the same time; the next run goes on from there.
            log.info("settlement left to another", reason=refusal.message())
    return {}


async def _settle(runtime: Runtime, as_of: datetime) -> None:
    """A transaction a step, not the job's: closing locks out every posting until it commits, summing up takes long."""
    alliance = runtime.catalogue.alliance
    async with runtime.database.transaction() as step:
        closed = await close_due(step, alliance, as_of)
    if closed is not None:
        log.info("cycle closed", number=closed.number)
    while True:
        async with runtime.database.transaction() as step:
            moved = await advance_due(step, alliance, as_of)
        if moved is None:
            return
        log.info("cycle taken on", number=moved.number, status=moved.status)
