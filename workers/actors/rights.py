"""Rights (A15): what is past its date goes back to whoever granted it, and bookings whose time is over are followed up.

Part of the night and of lapsing: see `expiry` and `holds`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.benefits.commands import Call, end_booking_request, expire_request
from alliance.benefits.packages import follow
from alliance.runtime import Runtime
from domain.benefits.due import expired, over
from domain.benefits.queries import by_ids
from domain.benefits.rules import Codes
from domain.errors import Refusal
from domain.events.commands import add_job
from domain.events.model import HeldJob
from domain.ledger.errors import HolderStopped, MemberNotActive
from domain.ledger.request import Outcome
from domain.tiers.commands import FOLLOWER
from workers.actor import Work

#: Rights, or bookings, a posting.
AT_ONCE = 500

#: By then a booking whose time is over has been followed up.
LAPSED_BY = timedelta(minutes=15)

_ALONE = (HolderStopped, MemberNotActive)


async def expire_rights(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Expire what is due of a range; the first refusal, if there was one. What has expired is not due again."""
    refusals: list[Refusal] = []
    after: tuple[UUID, UUID] | None = None
    while due := await expired(session, as_of, first, before, after, AT_ONCE):
        outcomes = await runtime.engine.post_many([expire_request(right, as_of) for right in due])
        refusals += _refusals(outcomes)
        after = (due[-1].holder_id, due[-1].id)
    return refusals[0] if refusals else None


async def lapse_bookings(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """End the bookings of a range whose time is over: those that were promised are no-shows. As `expire_rights`."""
    refusals: list[Refusal] = []
    after: tuple[UUID, UUID] | None = None
    while due := await over(session, as_of, first, before, after, AT_ONCE):
        rights = await by_ids(session, {(one.holder_id, one.right_id) for one in due})
        requests = []
        for booking in due:
            merchant = runtime.catalogue.merchants_by_id[booking.merchant_id]
            call = Call(at=merchant, occurred_at=as_of, as_of=as_of, key=None, client_id=None)
            right = rights[booking.holder_id, booking.right_id]
            requests.append(end_booking_request(runtime, call, right, booking.id, lapses=True))
        refusals += _refusals(await runtime.engine.post_many(requests))
        after = (due[-1].holder_id, due[-1].id)
    return refusals[0] if refusals else None


def tier_rights(secret: bytes) -> Work:
    """The actor that follows changes of tiers; `secret` is that of the codes of rights."""
    codes = Codes(secret)

    async def act(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        """Grant what a tier brings, take back what is lost with it. Args: {holder, merchant, seq, as_of}.

        What is booked is taken back when its booking is over, if it was not used: by another job.
        """
        await runtime.refresh()
        for job in jobs:
            place = UUID(job.args["holder"]), UUID(job.args["merchant"]), job.args["seq"]
            as_of = datetime.fromisoformat(job.args["as_of"])
            again = job.args.get("again", False)
            again_at = await follow(runtime, session, codes, place, as_of, again=again)
            if again_at is not None:
                args = job.args | {"as_of": max(as_of, again_at).isoformat(), "again": True}
                await add_job(session, FOLLOWER, args, available_at=again_at + LAPSED_BY)
        return {}

    return act


def _refusals(outcomes: Sequence[Outcome]) -> list[Refusal]:
    return [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, _ALONE)]
