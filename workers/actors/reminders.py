"""What members are told of beside notices: what happened, and that points are about to end (cut by ranges)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.messages import reminders
from alliance.messages.happenings import tell_what_happened
from alliance.notices.queries import Page
from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from workers.actors.ranges import bounds, ranges

#: Holders a job.
HOLDERS_A_JOB = 2000


async def tell(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Add the messages of what happened since the last time; if there is more, another job goes on. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        if await tell_what_happened(session, runtime.catalogue, datetime.fromisoformat(job.args["as_of"])):
            await add_jobs(session, [NewJob("tell", job.args, queue="bulk", dedupe="tell on")])
    return {}


async def remind(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders of points that end soon into ranges, a job for each range and currency. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        cut: list[dict[str, Any]] = []
        for code, currency in runtime.catalogue.currencies.items():
            firsts = await reminders.cut_holders(session, currency, as_of, HOLDERS_A_JOB)
            cut += ranges(firsts, as_of=job.args["as_of"], currency=code)
        await add_group(session, job, "remind", [NewJob("remind_range", args, queue="bulk") for args in cut])
    return {}


async def remind_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Add the reminders of holders from `first` to before `before`. Needs no key: what is there is not due again."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        currency = runtime.catalogue.currencies[job.args["currency"]]
        page = Page(*bounds(job.args), None, HOLDERS_A_JOB)
        await reminders.remind(session, runtime.catalogue, currency, as_of, page)
    return {}
