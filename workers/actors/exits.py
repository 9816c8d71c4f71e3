"""Forced exits (R13): announces them, and a week after their members know carries them out. Cut by ranges."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exits.commands import Programme, exit_request, programmes
from alliance.exits.queries import DueExit, cut_holders, due_exits, following
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.errors import HolderStopped, MemberNotActive
from domain.notices.commands import NewNotice, add_notices
from domain.notices.model import NoticeKind
from workers.actors.ranges import bounds, ranges

#: Holders a job.
HOLDERS_A_JOB = 2000

_ALONE = (MemberNotActive, HolderStopped)

#: How long members know before their points are sold, and for how long what they were told then is good.
NOTICE = timedelta(days=7)
GOOD_FOR = timedelta(days=30)


async def exits(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders of points that could be sold into ranges, and add a job for each. Args: {as_of}."""
    await runtime.refresh()
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        cut: list[dict[str, Any]] = []
        for programme in programmes(runtime.catalogue, as_of):
            firsts = await cut_holders(session, programme, as_of, HOLDERS_A_JOB)
            cut += ranges(firsts, as_of=job.args["as_of"], currency=programme.currency.code)
        await add_group(session, job, "exits", [NewJob("exits_range", args, queue="bulk") for args in cut])
    return {}


async def exits_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Sell what holders from `first` to before `before` held at earlier exits and is free now; announce exits to them,
    or carry them out where the week is over.

    Needs no key: what was announced is not announced again, and what was sold is no longer due. A member who may not
    move points is left alone, and so is a holder who is stopped.
    """
    await runtime.refresh()
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        within = bounds(job.args)
        for programme in programmes(runtime.catalogue, as_of):
            if programme.currency.code == job.args["currency"]:
                free = await following(session, programme.currency.code, *within)
                calls = [exit_request(runtime, programme, holder_id=one, as_of=as_of, follows=True) for one in free]
                outcomes = await runtime.engine.post_many(calls)
                due = await due_exits(session, programme, as_of, *within)
                await add_notices(session, [_notice(programme, one, as_of) for one in due if not one.announced])
                ready = [one for one in due if one.told_at is not None and one.told_at + NOTICE <= as_of]
                calls = [exit_request(runtime, programme, holder_id=one.holder_id, as_of=as_of) for one in ready]
                outcomes += await runtime.engine.post_many(calls)
                if refusals := [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, _ALONE)]:
                    failed[job.id] = refusals[0]
    return failed


def _notice(programme: Programme, due: DueExit, as_of: datetime) -> NewNotice:
    currency = programme.currency
    sold_at = as_of + NOTICE
    window = (sold_at, as_of, sold_at + GOOD_FOR)
    return NewNotice(due.holder_id, NoticeKind.EXIT, currency.code, currency.merchant_id, due.points, *window)
