"""The night's reconciliation: all books proved as of one instant, and what has not returned to zero; kept, and told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.reconciliation.commands import begin, conclude, progressed
from alliance.reconciliation.queries import outstanding
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.events.model import HeldJob
from domain.ledger.verify import Progress
from workers.process import OUTAGES

log = structlog.get_logger("worker")

#: Seconds between what is kept of how far it is.
TELL = 2.0

#: Seconds that it may take: the proof of some hundred million operations.
TIME_LIMIT = 12 * 3600.0


async def reconcile(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Prove the books now, and say what should have come back to zero by `as_of`. Args: {as_of}.

    It changes nothing but its own record, so one that was stopped begins anew.
    """
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        async with runtime.database.transaction() as own:
            await begin(own, job.id, as_of)
        async with _told(runtime, job.id) as progress, runtime.database.session() as reading:
            proof = await verify(reading, progress=progress)
        left = await outstanding(session, as_of)
        await conclude(session, job.id, proof, left)
        if proof.balanced:
            log.info("the books agree", operations=proof.operations, outstanding=len(left))
        else:
            log.error("the books differ", found=proof.found, checks=dict(Counter(d.check for d in proof.differences)))
    return {}


@asynccontextmanager
async def _told(runtime: Runtime, id_: UUID) -> AsyncIterator[Progress]:
    """What is told here is kept every few seconds."""
    news: list[tuple[str, int, int]] = []

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL)
            with suppress(*OUTAGES):
                async with runtime.database.transaction() as own:
                    if news:
                        await progressed(own, id_, *news.pop())

    telling = asyncio.create_task(tell())
    try:
        yield lambda step, done, total: news.__setitem__(slice(None), [(step, done, total)])
    finally:
        telling.cancel()
        await asyncio.wait([telling])
