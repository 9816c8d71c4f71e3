"""The sealer: adds operations to the log within a second, and signs what it has become.

Any number may run; the one that holds an advisory lock seals. The lock is its own connection's: whoever loses that
connection can write nothing more.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog

from alliance.proofs.commands import BLOCK, SEALER, SEALER_LOCK, LogDamaged, prepare, seal
from alliance.proofs.notes import PrivateKey
from domain.database import Database
from workers.process import OUTAGES, PAUSE, pause

log = structlog.get_logger("sealer")

#: Seconds between looks for new operations, and between tries for the lock.
TICK = 0.5


async def keep_sealing(database: Database, stop: asyncio.Event, keys: Sequence[PrivateKey]) -> None:
    """Seal as long as this process holds the lock; go on after outages."""
    log.info("sealer started", log=keys[0].name, keys=[key.public.id.hex() for key in keys])
    while not stop.is_set():
        try:
            connection = await database.connect(**SEALER)
            try:
                if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *SEALER_LOCK):
                    log.info("sealer holds the lock")
                    await _seal_all(connection, stop, keys)
            finally:
                await connection.close(timeout=2)
            await pause(TICK, stop)
        except LogDamaged as damage:
            log.error("the log is damaged: nothing is sealed", reason=str(damage))
            await pause(60 * PAUSE, stop)
        except OUTAGES as outage:
            log.warning("sealer interrupted", reason=f"{type(outage).__name__}: {outage}".partition("\n")[0])
            await pause(PAUSE, stop)
    log.info("sealer stopped")


async def _seal_all(connection: asyncpg.Connection, stop: asyncio.Event, keys: Sequence[PrivateKey]) -> None:
    """Block after block. After a round that found little, a pause; longer than the round took, so that looking
    through everything (once, after a restore) is not all that this process does."""
    clock = asyncio.get_running_loop().time
    await prepare(connection, keys)
    while not stop.is_set():
        began = clock()
        sealed = await seal(connection, keys)
        if sealed.added < BLOCK:
            await pause(max(TICK, 4 * (clock() - began)) if not sealed.added else TICK, stop)
