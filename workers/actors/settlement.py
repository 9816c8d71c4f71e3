"""Unattended settlement: closes the cycle at its cut-off and takes closed ones on, by the alliance's calendar."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.invoices.commands import issue_due
from alliance.invoices.interest import charge_late
from alliance.runtime import Runtime
from alliance.settlement.closing import drained
from alliance.settlement.errors import EarlierCycleOpen, WrongCycleStatus
from alliance.settlement.model import SettlementCycle
from alliance.settlement.schedule import advance_due, close_due, open_due
from domain.events.model import HeldJob

log = structlog.get_logger("worker")


async def settle(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Do what is due at `as_of`. Args: {as_of}. Needs no key: what was done is not due again."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        try:
            async for moved in advance(runtime, as_of):
                log.info("cycle taken on", number=moved.number, status=moved.status)
            await _charge(runtime, as_of)
        except (WrongCycleStatus, EarlierCycleOpen) as refusal:
            # Someone took the cycle on at the same time; the next run goes on from there.
            log.info("settlement left to another", reason=refusal.message())
    return {}


async def advance(runtime: Runtime, as_of: datetime) -> AsyncIterator[SettlementCycle]:
    """Take all steps that are due, each in a transaction of its own: whoever dies between two goes on from there."""
    alliance, database = runtime.catalogue.alliance, runtime.database
    async with database.transaction() as step:
        begun = await open_due(step, alliance, as_of)
    if begun is not None:
        async with database.transaction() as step:
            await drained(step)
            closed = await close_due(step, alliance, as_of)
        if closed is not None:
            yield closed
    while True:
        async with database.transaction() as step:
            moved = await advance_due(step, alliance, as_of)
        if moved is None:
            return
        yield moved


async def _charge(runtime: Runtime, as_of: datetime) -> None:
    """Issue the invoices of cycles that were confirmed, by whomever, and charge what was paid late: once each."""
    alliance = runtime.catalogue.alliance
    async with runtime.database.transaction() as step:
        issued = await issue_due(step, alliance, as_of)
    async with runtime.database.transaction() as step:
        charged = await charge_late(step, alliance, as_of)
    if issued or charged:
        log.info("charged", invoices=issued, late_payments=charged)


async def foresee(runtime: Runtime, as_of: datetime) -> AsyncIterator[SettlementCycle]:
    """What `advance` would do, in one transaction that is undone."""
    alliance = runtime.catalogue.alliance
    async with runtime.database.session() as session:
        await open_due(session, alliance, as_of)
        closed = await close_due(session, alliance, as_of)
        if closed is not None:
            yield closed
        while (moved := await advance_due(session, alliance, as_of)) is not None:
            yield moved
