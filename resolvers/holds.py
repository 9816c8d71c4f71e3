"""Holding points before tender, and how a hold ends (R14)."""

from uuid import UUID

from alliance.clearing.holds import DEFAULT_SECONDS, capture_request, hold_request, release_request
from domain.errors import NotAllowed, NotFound
from domain.ledger.model import Hold
from domain.ledger.request import Posted
from resolvers import ids
from resolvers.acting import member_of, merchant_of
from resolvers.codes import using
from resolvers.context import Context
from resolvers.guarding import from_device
from resolvers.identifying import require_good_at_till
from resolvers.pools import spender
from resolvers.sent import Sent, key_of


async def hold_points(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Set points aside; the answer comes with their currency. Raises a Refusal, or Overloaded."""
    key = key_of(context, "holdPoints", sent)
    require_good_at_till(context, sent)
    merchant = merchant_of(context, sent["merchant"])
    seconds: int | None = sent.get("expiresIn")
    member_id = await member_of(context, merchant, sent["member"])
    request = hold_request(
        context.runtime,
        member_id=member_id,
        merchant=merchant,
        points=sent["points"],
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        seconds=DEFAULT_SECONDS if seconds is None else seconds,
        currency=sent.get("currency"),
        channel=sent["channel"].value,
        store=sent.get("store"),
        order_ref=sent.get("orderRef"),
        dry_run=bool(sent.get("dryRun")),
        pool_id=await spender(context, member_id, sent),
    )
    using(context, request, sent)
    from_device(context, request, member_id)
    return await context.runtime.engine.post(request), request.currency


async def capture(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Spend what was held, or a part of it. Raises a Refusal, or Overloaded."""
    key = key_of(context, "captureHold", sent)
    hold = await _own(context, sent["hold"])
    request = await capture_request(
        context.runtime,
        hold=hold,
        points=sent.get("points"),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request), hold.currency


async def release(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Give back what was held. Raises a Refusal, or Overloaded."""
    key = key_of(context, "releaseHold", sent)
    hold = await _own(context, sent["hold"])
    request = release_request(
        hold=hold,
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
    )
    return await context.runtime.engine.post(request), hold.currency


async def load(context: Context, holder_id: UUID, hold_id: UUID) -> Hold | None:
    """A hold in reach, or None."""
    return await context.loaders.holds.load((holder_id, hold_id))


async def by_global_id(context: Context, global_id: str) -> Hold | None:
    """The hold of a global id, or None. Raises NotFound for an id of something else."""
    return await load(context, *ids.decode_as("Hold", global_id, 2))


async def _own(context: Context, global_id: str) -> Hold:
    """A hold that the caller may end: a merchant those at its tills, a member those that their app made.

    Raises NotFound, NotAllowed.
    """
    try:
        hold = await by_global_id(context, global_id)
    except NotFound as refusal:
        raise refusal.at("hold") from None
    if hold is None:
        raise NotFound(what="hold", path=("hold",))
    if context.own_merchant_id not in (None, hold.merchant_id):
        raise NotAllowed(reason="the points are held for another merchant", path=("hold",))
    viewer = context.signed_in
    if viewer.kind == "member" and hold.client_id != viewer.client_id:
        raise NotAllowed(reason="another client holds the points", path=("hold",))
    return hold
