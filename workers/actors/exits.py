"""Forced exits (R13): announces them, and a week after their members know carries them out. Cut by ranges."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exits.commands import Programme, exit_request, programmes
from alliance.exits.queries import DueExit, cut_holders, due_exits, following
from alliance.runtime import Runtime
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.notices.commands import NewNotice, add_notices
from domain.notices.model import NoticeKind

#: Holders a job.
HOLDERS_A_JOB = 2000

#: How long members know before their points are sold, and for how long what they were told then is good.
NOTICE = timedelta(days=7)
GOOD_FOR = timedelta(days=30)


async def exits(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Sell what was held at earlier exits and is free now, and add a job for each range of holders. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        for programme in programmes(runtime.catalogue, as_of):
            free = await following(session, programme.currency.code)
            calls = [exit_request(runtime, programme, holder_id=one, as_of=as_of, follows=True) for one in free]
            await runtime.engine.post_many(calls)
            firsts = await cut_holders(session, programme, as_of, HOLDERS_A_JOB)
            named = {"as_of": job.args["as_of"], "currency": programme.currency.code}
            ranges = [
                named | {"first": str(first), "before": end and str(end)}
                for first, end in zip(firsts, [*firsts[1:], None], strict=False)
            ]
            await add_jobs(session, [NewJob("exits_range", args, queue="bulk") for args in ranges])
    return {}


async def exits_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Announce exits to holders from `first` to before `before`, or carry them out where the week is over.

    Needs no key: what was announced is not announced again, and what was sold is no longer due. A member who may not
    move points is left alone.
    """
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        before = job.args["before"] and UUID(job.args["before"])
        for programme in programmes(runtime.catalogue, as_of):
            if programme.currency.code == job.args["currency"]:
                due = await due_exits(session, programme, as_of, UUID(job.args["first"]), before)
                await add_notices(session, [_notice(programme, one, as_of) for one in due if not one.announced])
                ready = [one for one in due if one.told_at is not None and one.told_at + NOTICE <= as_of]
                calls = [exit_request(runtime, programme, holder_id=one.holder_id, as_of=as_of) for one in ready]
                await runtime.engine.post_many(calls)
    return {}


def _notice(programme: Programme, due: DueExit, as_of: datetime) -> NewNotice:
    currency = programme.currency
    sold_at = as_of + NOTICE
    window = (sold_at, as_of, sold_at + GOOD_FOR)
    return NewNotice(due.holder_id, NoticeKind.EXIT, currency.code, currency.merchant_id, due.points, *window)
