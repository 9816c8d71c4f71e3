"""The night (R3, R7): pending points that are due become active, then what no wallet shows any more is expired, and
then rights that are past their date.

Cut by ranges of holder_id; nobody waits for another range.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.grants import activate_request
from alliance.clearing.tiers import expire_request
from alliance.runtime import Runtime
from domain.benefits.due import cut_expired
from domain.errors import Refusal
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.due import DueWallet, cut_due_holders, due_pending, due_wallets
from domain.ledger.errors import HolderStopped
from domain.tiers.queries import cut_ended
from workers.actors.holds import lapse_holds
from workers.actors.ranges import bounds, ranges
from workers.actors.rights import expire_rights, lapse_bookings
from workers.actors.tiers import evaluate_tiers

#: Holders a job: so few that a night's work spreads over all workers, and that a job is done in about a second.
HOLDERS_A_JOB = 2000

#: Wallets a posting.
WALLETS_AT_ONCE = 500

#: Lots a posting, of wallets that have many: it keeps its holders locked for less than 150 ms.
LOTS_AT_ONCE = 1500


async def expire(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Cut the holders who have points or tiers due into ranges, a job for each. Args: {as_of}."""
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        due = [await of(session, as_of, HOLDERS_A_JOB) for of in (cut_due_holders, cut_ended, cut_expired)]
        cut = ranges(sorted({first for firsts in due for first in firsts}), as_of=job.args["as_of"])
        await add_group(session, job, "expire", [NewJob("expire_range", args, queue="bulk") for args in cut])
    return {}


async def expire_range(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """Activate and expire what is due at `as_of`, of holders from `first` to before `before` (null: to the last).

    Holds past their time are lapsed before, so that nothing waits for them, and tiers that end are followed up while
    the credits are there; a tier that depends on credits is decided with their expiry (R7). Holders who are stopped are
    left out. Needs no key: what has expired is not due again, so that a job begun anew goes on where the last one was
    stopped.
    """
    failed: dict[UUID, Exception] = {}
    for job in jobs:
        as_of = datetime.fromisoformat(job.args["as_of"])
        first, before = bounds(job.args)
        if refusal := await _activate(runtime, session, as_of, first, before):
            failed[job.id] = refusal
        for lapse in (lapse_holds, lapse_bookings):
            if refusal := await lapse(runtime, session, as_of, first, before):
                failed[job.id] = refusal
        if refusal := await evaluate_tiers(runtime, session, as_of, first, before):
            failed[job.id] = refusal
        after: DueWallet | None = None
        while wallets := await due_wallets(session, as_of, first, before, after, WALLETS_AT_ONCE):
            for some in _portions(wallets):
                outcomes = await runtime.engine.post_many([expire_request(runtime, wallet, as_of) for wallet in some])
                refusals = [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
                if refusals:
                    failed[job.id] = refusals[0]
            after = wallets[-1]
        if refusal := await expire_rights(runtime, session, as_of, first, before):
            failed[job.id] = refusal
    return failed


def _portions(wallets: Iterable[DueWallet]) -> Iterator[list[DueWallet]]:
    """The wallets, in order, in portions of at most LOTS_AT_ONCE lots; a wallet that has more is one by itself."""
    some: list[DueWallet] = []
    lots = 0
    for wallet in wallets:
        if some and lots + wallet.lots > LOTS_AT_ONCE:
            yield some
            some, lots = [], 0
        some.append(wallet)
        lots += wallet.lots
    if some:
        yield some


async def _activate(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Activate what is due of each earn; the first refusal, if there is one."""
    while grants := await due_pending(session, as_of, first, before, WALLETS_AT_ONCE):
        earns = [list(group) for _, group in groupby(grants, key=lambda row: (row.holder_id, row.operation_id))]
        outcomes = await runtime.engine.post_many([activate_request(runtime, due, as_of=as_of) for due in earns])
        if refusals := [outcome for outcome in outcomes if isinstance(outcome, Refusal)]:
            return refusals[0]
    return None
