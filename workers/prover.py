"""The prover: proves all books for each reconciliation that was asked for, and keeps what came of it.

Not in a job's transaction: what is numbered in the order of transactions (the log, events) waits for every one that
runs, and a proof may take hours. Every worker has one; of all, the one that holds an advisory lock proves. The lock is
its own connection's: whoever dies lets it go, and another begins that proof anew.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text

from alliance.reconciliation.commands import conclude, progressed
from alliance.reconciliation.queries import outstanding
from alliance.verify import verify
from domain.database import Database
from domain.events.origin import Origin, work_for
from domain.ledger.verify import Progress
from workers.process import OUTAGES, PAUSE, pause

log = structlog.get_logger("prover")

LOCK = (0x7E55, 8)

#: Seconds between looks for a reconciliation, and between what is kept of how far one is.
TICK = 5.0
TELL = 2.0

_NEXT = text("SELECT id, as_of FROM reconciliation WHERE finished_at IS NULL ORDER BY id LIMIT 1")


async def keep_proving(database: Database, stop: asyncio.Event) -> None:
    """Prove what is asked for until told to stop; a proof that is not done then begins anew. Go on after outages."""
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        proving = asyncio.create_task(prove_next(database))
        await asyncio.wait([proving, stopped], return_when=asyncio.FIRST_COMPLETED)
        proving.cancel()
        await asyncio.wait([proving])
        if proving.cancelled():
            continue
        if (fault := proving.exception()) is None:
            await pause(0 if proving.result() else TICK, stop)
        else:
            told = log.warning if isinstance(fault, OUTAGES) else log.error
            told("the proof of the books is interrupted", reason=f"{type(fault).__name__}: {fault}".partition("\n")[0])
            await pause(PAUSE if isinstance(fault, OUTAGES) else 60 * PAUSE, stop)
    stopped.cancel()


async def prove_next(database: Database) -> bool:
    """Prove the books for the oldest reconciliation that has not come to its end; whether one was proved.

    None is if another process is proving.
    """
    async with database.reader() as session:
        if (await session.execute(_NEXT)).first() is None:
            return False
    lock = await database.connect()
    try:
        if not await lock.fetchval("SELECT pg_try_advisory_lock($1, $2)", *LOCK):
            return False
        async with database.reader() as session:
            found = (await session.execute(_NEXT)).first()
        if found is None:
            return False
        await _prove(database, *found)
        return True
    finally:
        await lock.close(timeout=2)


async def _prove(database: Database, id_: UUID, as_of: datetime) -> None:
    work_for(Origin(id_.hex))
    async with _told(database, id_) as progress, database.session() as reading:
        proof = await verify(reading, progress=progress)
    async with database.transaction() as session:
        left = await outstanding(session, as_of)
        await conclude(session, id_, proof, left)
    if proof.balanced:
        log.info("the books agree", operations=proof.operations, outstanding=len(left))
    else:
        log.error("the books differ", found=proof.found, checks=dict(Counter(d.check for d in proof.differences)))


@asynccontextmanager
async def _told(database: Database, id_: UUID) -> AsyncIterator[Progress]:
    """What is told here is kept every few seconds."""
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
