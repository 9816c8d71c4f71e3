"""The signer: signs statements within seconds after they are issued. Several may run; each is signed once."""

import asyncio
from collections.abc import Sequence

import structlog

from alliance.proofs.notes import PrivateKey
from alliance.statements.commands import sign_due
from domain.database import Database
from workers.process import OUTAGES, PAUSE, pause

log = structlog.get_logger("signer")

#: Seconds between looks for statements.
TICK = 2.0


async def keep_signing(database: Database, stop: asyncio.Event, keys: Sequence[PrivateKey]) -> None:
    """Sign until told to stop; go on after outages."""
    first = 1
    while not stop.is_set():
        try:
            signed, first = await sign_due(database, keys, first)
            if signed:
                log.info("statements signed", count=signed)
            await pause(TICK, stop)
        except OUTAGES as outage:
            log.warning("signer interrupted", reason=f"{type(outage).__name__}: {outage}".partition("\n")[0])
            await pause(PAUSE, stop)
