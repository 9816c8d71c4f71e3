"""Looking through the access log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.runtime import Runtime
from domain.events.model import HeldJob
from domain.reads.commands import raise_alerts

log = structlog.get_logger("reads")


async def watch_reads(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Find who read the data of unusually many members. Args: {as_of}. Needs no key: an hour is found once."""
    for job in jobs:
        for client_id, members, usual in await raise_alerts(session, datetime.fromisoformat(job.args["as_of"])):
            log.warning("unusual reading of personal data", client=str(client_id), members=members, usual=usual)
    return {}
