"""The night's reconciliation is asked for: a job, as all that the clock starts. `workers.prover` does it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.reconciliation.commands import begin
from alliance.runtime import Runtime
from domain.events.model import HeldJob


async def reconcile(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Have the books proved. Args: {as_of}."""
    for job in jobs:
        await begin(session, job.id, datetime.fromisoformat(job.args["as_of"]))
    return {}
