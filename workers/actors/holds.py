"""Lapsed holds (R14), bookings (A15) and expired quotes (A4): gives back what they keep past their time. Cut by ranges
of holder_id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.holds import lapse_request
from alliance.exchange.reservations import let_go
from alliance.runtime import Runtime
from domain.benefits.due import cut_over
from domain.errors import Refusal
from domain.events.commands import add_job
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.due import DueHold, cut_lapsing_holders, due_holds
from domain.ledger.errors import HolderStopped
from workers.actors.ranges import bounds, ranges
from workers.actors.rights import lapse_bookings

#: Holders a job.
HOLDERS_A_JOB = 2000

#: Quotes a job.
QUOTES_A_JOB = 2000

#: Holds a posting.
HOLDS_AT_ONCE = 500


async def lapse(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders who have holds or bookings that are over into ranges, a job for each. Args: {as_of}.

    What quotes have reserved that expired is let go here, and by a job more where there are too many.
    """
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        due = [await of(session, as_of, HOLDERS_A_JOB) for of in (cut_lapsing_holders, cut_over)]
        cut = ranges(sorted({first for firsts in due for first in firsts}), as_of=job.args["as_of"])
        await add_group(session, job, "lapse", [NewJob("lapse_range", args, queue="bulk") for args in cut])
        if await let_go(session, datetime.fromisoformat(job.args["as_of"]), QUOTES_A_JOB) == QUOTES_A_JOB:
            await add_job(session, "lapse", job.args)
    return {}


async def lapse_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Lapse the holds and bookings of holders from `first` to before `before` (null: to the last) that are over.

    Needs no key: what has lapsed is not due again.
    """
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        for lapse_what in (lapse_holds, lapse_bookings):
            if refusal := await lapse_what(runtime, session, as_of, *bounds(job.args)):
                failed[job.id] = refusal
    return failed


async def lapse_holds(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Lapse what is due in a range; the first refusal, if there was one but that a holder is stopped."""
    refusals: list[Refusal] = []
    after: DueHold | None = None
    while due := await due_holds(session, as_of, first, before, after, HOLDS_AT_ONCE):
        outcomes = await runtime.engine.post_many([lapse_request(hold, as_of) for hold in due])
        refusals += [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
        after = due[-1]
    return refusals[0] if refusals else None
