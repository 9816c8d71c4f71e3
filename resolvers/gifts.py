"""Points from one member to another, and back."""

from uuid import UUID

from alliance.gifts.commands import gift_request, reverse_gift_request
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from domain.ledger.queries import OperationRow
from domain.ledger.request import Key, Posted
from domain.programs.catalogue import Merchant
from resolvers.acting import member_of, ref_of
from resolvers.codes import using
from resolvers.context import Context
from resolvers.guarding import from_device
from resolvers.sent import Sent, key_of, occurred_at


async def transfer(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Give points; the answer comes with their kind. Raises a Refusal, or Overloaded."""
    key = key_of(context, "transferPoints", sent)
    currency = context.runtime.catalogue.currencies.get(sent["currency"])
    if currency is None:
        raise NotFound(what=f"currency {sent['currency'][:40]!r}", path=("currency",))
    if context.own_merchant_id not in (None, currency.merchant_id):
        raise NotAllowed(reason="this client's merchant does not issue them", path=("currency",))
    issuer = context.runtime.catalogue.merchants_by_id[currency.merchant_id]
    request = gift_request(
        context.runtime,
        giver_id=await _member(context, issuer, sent, "from"),
        receiver_id=await _member(context, issuer, sent, "to"),
        currency=currency.code,
        points=sent["points"],
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        note=sent.get("note"),
        dry_run=bool(sent.get("dryRun")),
    )
    using(context, request, sent, "from", "to")
    from_device(context, request, request.holder_id)
    return await context.runtime.engine.post(request), currency.code


async def _member(context: Context, issuer: Merchant, sent: Sent, field: str) -> UUID:
    """Who is named there. Members give of their own, to whomever they can name. Raises NotFound, InvalidInput."""
    try:
        if field == "to" and context.signed_in.kind == "member":
            return (await context.house.resolve.load((issuer.code, ref_of(context, sent[field])))).member_id
        return await member_of(context, issuer, sent[field])
    except Refusal as refusal:
        refusal.path = (field, *refusal.path[1:])
        raise


async def take_back(context: Context, row: OperationRow, sent: Sent, key: Key) -> Posted:
    """Undo a gift, seen from either side. Raises a Refusal, or Overloaded."""
    for part in ("lines", "amount", "points"):
        if sent.get(part) is not None:
            raise InvalidInput(reason="a gift is taken back whole", path=(part,))
    entry = (await context.loaders.entries.load((row.holder_id, row.id)))[0]
    other_id = entry.counter_holder_id
    giver_id, receiver_id = (other_id, row.holder_id) if row.received else (row.holder_id, other_id)
    request = reverse_gift_request(
        context.runtime,
        giver_id=giver_id,
        receiver_id=receiver_id,
        operation_id=row.id,
        currency=entry.currency,
        as_of=context.as_of,
        occurred_at=occurred_at(context, sent),
        key=key,
        client_id=context.signed_in.client_id,
        reason=sent["reason"],
        at_fault=context.runtime.catalogue.merchants_by_id[row.merchant_id] if sent.get("merchantAtFault") else None,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request)
