"""Stored value: topped up, paid back, and what issuers hold of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from alliance.stored_value.commands import Money, refund_request, reverse_top_up_request, top_up_request
from alliance.stored_value.queries import Deposit, deposits, paid_operations
from domain.errors import InvalidInput, NotAllowed
from domain.ledger.queries import OperationRow
from domain.ledger.request import Key, Posted
from resolvers.acting import member_of, merchant_of
from resolvers.codes import using
from resolvers.context import Context
from resolvers.sent import Sent, key_of, occurred_at
from resolvers.viewer import Scope


async def top_up(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Take in what was paid; the answer comes with its currency. Raises a Refusal, or Overloaded."""
    key = key_of(context, "topUp", sent)
    merchant = merchant_of(context, sent["merchant"])
    bonus = _money(sent, "bonus")
    if bonus is not None and Scope.POINTS_GIVE not in context.signed_in.scopes:
        raise NotAllowed(reason="a bonus needs the scope points:give", path=("bonus",))
    paid = _money(sent, "paid")
    assert paid is not None
    request = top_up_request(
        context.runtime,
        member_id=await member_of(context, merchant, sent["member"]),
        merchant=merchant,
        paid=paid,
        bonus=bonus,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        currency=sent.get("currency"),
        channel=sent["channel"].value,
        store=sent.get("store"),
        order_ref=sent.get("orderRef"),
        dry_run=bool(sent.get("dryRun")),
    )
    using(context, request, sent)
    return await context.runtime.engine.post(request), request.currency


async def refund(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Pay back what was paid for and not spent. Raises a Refusal, or Overloaded."""
    key = key_of(context, "refundStoredValue", sent)
    merchant = merchant_of(context, sent["merchant"])
    request = refund_request(
        context.runtime,
        member_id=await member_of(context, merchant, sent["member"]),
        merchant=merchant,
        amount=_money(sent, "amount"),
        reason=sent["reason"],
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        currency=sent.get("currency"),
        dry_run=bool(sent.get("dryRun")),
    )
    using(context, request, sent)
    return await context.runtime.engine.post(request), request.currency


async def take_back(context: Context, row: OperationRow, sent: Sent, key: Key) -> Posted:
    """Undo a top up. Raises a Refusal, or Overloaded."""
    for part in ("lines", "amount", "points"):
        if sent.get(part) is not None:
            reason = "a top up is undone whole: refundStoredValue pays back a part"
            raise InvalidInput(reason=reason, path=(part,))
    if sent.get("merchantAtFault"):
        raise InvalidInput(reason="only points that were spent come back", path=("merchantAtFault",))
    request = reverse_top_up_request(
        holder_id=row.holder_id,
        operation_id=row.id,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        reason=sent["reason"],
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request)


async def was_paid(context: Context, holder_id: UUID, operation_id: UUID) -> bool:
    """Whether an operation took in what was paid for stored value."""
    async with context.runtime.database.reader() as session:
        return bool(await paid_operations(session, [(holder_id, operation_id)]))


async def report(context: Context, as_of: datetime | None, merchant: str | None) -> Sequence[Deposit]:
    """What issuers held of their members' money; a merchant sees its own, and nothing of another's."""
    named = None if merchant is None else context.runtime.catalogue.merchants.get(merchant)
    own = context.own_merchant_id
    if (merchant is not None and named is None) or (named is not None and own not in (None, named.id)):
        return []
    issuer_id = own if named is None else named.id
    async with context.runtime.database.reader() as session:
        return await deposits(session, as_of or context.as_of, issuer_id)


def _money(sent: Sent, field: str) -> Money | None:
    money: Sent | None = sent.get(field)
    return None if money is None else (str(money["amount"]), money["currency"])
