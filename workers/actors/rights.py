"""Rights (A15): what is past its date goes back to whoever granted it, and bookings whose time is over are followed up.

Part of the night and of lapsing: see `expiry` and `holds`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.benefits.commands import Call, end_booking_request, expire_request
from alliance.runtime import Runtime
from domain.benefits.due import expired, over
from domain.benefits.queries import by_ids
from domain.errors import Refusal
from domain.ledger.errors import HolderStopped, MemberNotActive
from domain.ledger.request import Outcome

#: Rights, or bookings, a posting.
AT_ONCE = 500

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


def _refusals(outcomes: Sequence[Outcome]) -> list[Refusal]:
    return [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, _ALONE)]
