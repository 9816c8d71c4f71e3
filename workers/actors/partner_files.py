"""Partners' files: each is reconciled by a job, which tells how far it is; those that are due are looked for."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles.commands import refuse, start
from alliance.partnerfiles.keeping import progressed
from alliance.partnerfiles.missing import tell_missing
from alliance.partnerfiles.timing import look_again
from alliance.partnerfiles.work import Progress, Refused, reconcile
from alliance.runtime import Runtime
from domain.database import Database
from domain.events.model import HeldJob
from workers.process import OUTAGES

log = structlog.get_logger("worker")

TELL = 1.0
"""Seconds between what is kept of how far a file is."""

Failed = Mapping[UUID, Exception]


async def partner_file(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Reconcile a file that was submitted. Args: {file}. Begun anew, it begins at the beginning."""
    await runtime.refresh()
    for job in jobs:
        file_id, as_of = UUID(job.args["file"]), datetime.now(UTC)
        async with runtime.database.transaction() as own:
            if not await start(own, file_id):
                continue
        try:
            async with _told(runtime.database, file_id) as progress:
                await reconcile(runtime.database, runtime.catalogue, file_id, as_of, progress)
        except Refused as refused:
            problems = [problem.to_json() for problem in refused.problems]
            await refuse(session, file_id, refused.refusal, problems, as_of)
            log.warning("partner file refused", file=str(file_id), reason=refused.refusal.code)
        else:
            log.info("partner file reconciled", file=str(file_id))
    return {}


async def partner_files_due(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Tell of files that were due and did not come. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        for due in await tell_missing(session, runtime.catalogue, datetime.fromisoformat(job.args["as_of"])):
            log.warning("partner file missing", merchant=str(due.merchant_id), mapping=due.mapping, day=str(due.day))
    return {}


async def partner_timing(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Failed:
    """Look again at what might lie in a cycle that was closed since. Args: {as_of}."""
    for job in jobs:
        matched, broken = await look_again(session, datetime.fromisoformat(job.args["as_of"]))
        log.info("timing looked at again", matched=matched, breaks=broken)
    return {}


@asynccontextmanager
async def _told(database: Database, id_: UUID) -> AsyncIterator[Progress]:
    """What is told here is kept every now and then."""
    news: list[tuple[str, int, int]] = []

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL)
            with suppress(*OUTAGES):
                async with database.transaction() as own:
                    if news:
                        await progressed(own, id_, *news.pop())

    telling = asyncio.create_task(tell())
    try:
        yield lambda step, done, total: news.__setitem__(slice(None), [(step, done, total)])
    finally:
        telling.cancel()
        await asyncio.wait([telling])
