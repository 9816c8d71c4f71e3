"""What staff moves by hand."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval
from alliance.clearing.adjustments import adjust_request, reinstate_request
from alliance.clearing.asked import ask
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.request import Posted
from domain.programs.catalogue import Merchant
from resolvers import approvals, ids, operations, pools
from resolvers.acting import member_of, merchant_of, one_of
from resolvers.codes import claim, using
from resolvers.context import Context
from resolvers.once import once
from resolvers.sent import Sent, key_of, occurred_at


async def adjust(context: Context, sent: Sent) -> tuple[Posted, str] | Approval:
    """Give or take points; the answer comes with their kind. What one person may not, if they ask for it, waits for a
    second one. Raises a Refusal, or Overloaded."""
    key = key_of(context, "adjustPoints", sent)
    merchant = merchant_of(context, sent["merchant"])
    if one_of(sent, "member", "pool") == "pool":
        holder_id = await _pool(context, merchant, sent)
    else:
        holder_id = await member_of(context, merchant, sent["member"])
    if sent.get("askApproval") and not sent.get("dryRun") and abs(sent["points"]) > merchant.adjust_limit:
        return await _ask(context, merchant, holder_id, sent)
    request = adjust_request(
        context.runtime,
        member_id=holder_id,
        merchant=merchant,
        currency=sent.get("currency"),
        points=sent["points"],
        reason=sent["reason"],
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        dry_run=bool(sent.get("dryRun")),
    )
    using(context, request, sent)
    return await context.runtime.engine.post(request), request.currency


async def _ask(context: Context, merchant: Merchant, holder_id: UUID, sent: Sent) -> tuple[Posted, str] | Approval:
    """Have it approved by a second person, unless one may. Raises a Refusal."""

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        outcome = await ask(
            session,
            context.runtime,
            member_id=holder_id,
            merchant_id=merchant.id,
            currency=sent.get("currency"),
            points=sent["points"],
            occurred_at=occurred_at(context, sent),
            client_id=context.signed_in.client_id,
            about=approvals.about(context, sent),
        )
        return approvals.told(outcome)

    kept = await once(context, key_of(context, "adjustPoints", sent), act)
    if "approval" not in kept:  # the alliance lets one person do it
        data = {"change": kept["points"]}
        return Posted(UUID(kept["operation"]), holder_id, "ADJUST", abs(kept["points"]), [], data=data), kept[
            "currency"
        ]
    found = await approvals.load(context, UUID(kept["approval"]))
    assert found is not None
    return found


async def _pool(context: Context, merchant: Merchant, sent: Sent) -> UUID:
    """A pool of the merchant's, in points that can be in it. Raises NotFound, NotAllowed."""
    try:
        found = await pools.by_global_id(context, sent["pool"])
    except NotFound as refusal:
        raise refusal.at("pool") from None
    if found is None or found.merchant_id != merchant.id:
        raise NotFound(what="pool", path=("pool",))
    code = sent.get("currency") or merchant.default_currency or ""
    kind = context.runtime.catalogue.currencies.get(code)
    if kind is not None and (kind.merchant_id != merchant.id or kind.kind not in ("points", "stamps")):
        raise NotAllowed(reason=f"a pool holds points of {merchant.code}", path=("currency",))
    return found.id


async def reinstate(context: Context, sent: Sent) -> Posted:
    """Bring expired points back; their issuer's staff does. Raises a Refusal, or Overloaded."""
    key = key_of(context, "reinstatePoints", sent)
    try:
        holder_id, operation_id = ids.decode_as("Operation", sent["operation"], 2)
    except NotFound as refusal:
        raise refusal.at("operation") from None
    row = await operations.require(context, holder_id, operation_id)
    if context.own_merchant_id not in (None, row.merchant_id):
        raise NotAllowed(reason="another merchant issued these points", path=("operation",))
    moved = await context.loaders.entries.load((holder_id, operation_id))
    if not moved:
        raise InvalidInput(reason="it expired nothing", path=("operation",))
    request = reinstate_request(
        context.runtime,
        holder_id=holder_id,
        operation_id=operation_id,
        issuer=context.runtime.catalogue.merchants_by_id[row.merchant_id],
        currency=moved[0].currency,
        points=sent.get("points"),
        reason=sent["reason"],
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request)
