"""Mutations that move points: authorise, value, post."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from alliance.clearing.commands import Detail, earn_request, redeem_request, reverse_request
from alliance.clearing.queries import paid_for
from alliance.clearing.tenders import PaidBy
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.commands import Earn
from domain.ledger.model import OperationKind
from domain.ledger.request import Posted
from domain.money import to_minor
from domain.programs.rules import Line, Tender
from resolvers import exits, gifts, ids, operations, returns, rights, stored_value
from resolvers.acting import member_of, merchant_of, one_of
from resolvers.again import again
from resolvers.codes import using
from resolvers.context import Context
from resolvers.guarding import from_device
from resolvers.identifying import buyer_of, may_join, newcomer, require_good_at_till
from resolvers.pools import spender
from resolvers.sent import Sent, key_of, occurred_at
from resolvers.viewer import Scope

MAX_BATCH = 500
NOBODY = UUID(int=0)
"""Whose a purchase is until a stranger has joined."""
_OF_RIGHTS = (
    OperationKind.RIGHT_GRANT,
    OperationKind.RIGHT_USE,
    OperationKind.RIGHT_NO_SHOW,
    OperationKind.RIGHT_CANCEL,
)
MAX_LINES = 1000


async def earn(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Grant points for a purchase; the answer comes with the kind of points. Raises a Refusal, or Overloaded."""
    request = await _earn(context, sent)
    return await context.runtime.engine.post(request), request.currency


async def earn_batch(context: Context, inputs: Sequence[Sent]) -> list[tuple[Posted, str] | BaseException]:
    """Many, together: one result an item, in order; what one of them raises is that one's result."""
    if len(inputs) > MAX_BATCH:
        raise InvalidInput(reason=f"a batch has at most {MAX_BATCH} items", path=("inputs",))
    earning = (again(context, partial(earn, context, sent)) for sent in inputs)
    return await asyncio.gather(*earning, return_exceptions=True)


async def _earn(context: Context, sent: Sent) -> Earn:
    key = key_of(context, "earn", sent)
    merchant = merchant_of(context, sent["merchant"])
    what = _valued(context, sent)
    buyer = await buyer_of(context, merchant, sent)
    request = earn_request(
        context.runtime,
        member_id=NOBODY if buyer is None else buyer.member_id,
        merchant=merchant,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        currency=sent.get("currency"),
        channel=sent["channel"].value,
        store=sent.get("store"),
        order_ref=sent.get("orderRef"),
        dry_run=bool(sent.get("dryRun")),
        decided=context.signed_in.kind == "operator",
        **what,
    )
    using(context, request, sent)
    if buyer is None or (not buyer.joined and may_join(merchant, sent)):
        request.holder_id = await newcomer(context, merchant, sent)
    return request


def _valued(context: Context, sent: Sent) -> dict[str, Any]:
    """What is to be valued: points as they are, or amount or lines and how they were paid, in minor units."""
    given = one_of(sent, "amount", "lines", "points")
    if given == "points":
        if Scope.POINTS_GIVE not in context.signed_in.scopes:
            raise NotAllowed(reason="explicit points need the scope points:give", path=("points",))
        return {"points": sent["points"]}
    tenders = sent.get("tenders") or []
    if given == "amount":
        money = sent["amount"]["currency"]
        amount = _minor(sent["amount"], money, "amount")
        return {"amount": amount, "money": money, **_tenders(tenders, money)}
    lines = sent["lines"]
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput(reason=f"give 1 to {MAX_LINES} lines", path=("lines",))
    money = lines[0]["amount"]["currency"]
    return {
        "lines": [_line(line, money, place) for place, line in enumerate(lines)],
        "details": [_detail(line) for line in lines],
        "money": money,
        **_tenders(tenders, money),
    }


def _minor(sent: Sent, money: str, *path: str) -> int:
    """A MoneyInput in minor units of `money`. Raises InvalidInput, its path under `path`."""
    if sent["currency"] != money:
        raise InvalidInput(reason=f"all amounts must be in {money}", path=(*path, "currency"))
    try:
        minor = to_minor(sent["amount"], money)
    except InvalidInput as refusal:
        raise (refusal.at(*path) if refusal.path else refusal.at(*path, "amount")) from None
    if minor < 0:
        raise InvalidInput(reason="an amount below zero earns nothing", path=(*path, "amount"))
    return minor


def _line(sent: Sent, money: str, place: int) -> Line:
    return _minor(sent["amount"], money, "lines", str(place), "amount"), sent.get("category")


def _detail(sent: Sent) -> Detail:
    """What is kept of a line, so that a return can name it."""
    return sent.get("ref"), sent.get("sku"), sent.get("category"), sent.get("quantity") or "1", sent["amount"]["amount"]


def _tenders(sent: Sequence[Sent], money: str) -> dict[str, Any]:
    """How an order was paid, and by which operations. Raises InvalidInput, NotFound."""
    tenders: list[Tender] = []
    paid_by: list[PaidBy] = []
    for place, tender in enumerate(sent):
        kind, amount = tender["kind"].value, _minor(tender["amount"], money, "tenders", str(place), "amount")
        tenders.append((kind, amount))
        if tender.get("operation") is not None:
            try:
                paid_by.append(PaidBy(place, kind, amount, *ids.decode_as("Operation", tender["operation"], 2)))
            except NotFound as refusal:
                raise refusal.at("tenders", str(place), "operation") from None
    return {"tenders": tenders, "paid_by": paid_by}


async def redeem(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Spend points: as many as said, or as many as the order and the wallet allow. Raises a Refusal, or Overloaded."""
    key = key_of(context, "redeem", sent)
    require_good_at_till(context, sent)
    merchant = merchant_of(context, sent["merchant"])
    member_id = await member_of(context, merchant, sent["member"])
    request = redeem_request(
        context.runtime,
        member_id=member_id,
        merchant=merchant,
        points=sent.get("points"),
        order=_order(sent),
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        currency=sent.get("currency"),
        channel=sent["channel"].value,
        store=sent.get("store"),
        order_ref=sent.get("orderRef"),
        dry_run=bool(sent.get("dryRun")),
        decided=context.signed_in.kind == "operator",
        pool_id=await spender(context, member_id, sent),
    )
    using(context, request, sent)
    from_device(context, request, member_id)
    return await context.runtime.engine.post(request), request.currency


def _order(sent: Sent) -> tuple[int, str] | None:
    """The order's amount in minor units, and their currency, if it was sent. Raises InvalidInput."""
    amount: Sent | None = sent.get("orderAmount")
    return None if amount is None else (_minor(amount, amount["currency"], "orderAmount"), amount["currency"])


async def reverse(context: Context, sent: Sent) -> Posted:
    """Undo an operation, or a part of it. Raises a Refusal, or Overloaded."""
    key = key_of(context, "reverse", sent)
    asked = returns.asked(sent)
    try:
        holder_id, operation_id = ids.decode_as("Operation", sent["operation"], 2)
    except NotFound as refusal:
        raise refusal.at("operation") from None
    row = await operations.require(context, holder_id, operation_id)
    if context.own_merchant_id not in (None, row.merchant_id):
        raise NotAllowed(reason="it happened at another merchant", path=("operation",))
    if row.kind == OperationKind.REDEEM and (asked.lines is not None or asked.amount is not None):
        async with context.runtime.database.reader() as session:
            order_id = await paid_for(session, holder_id, operation_id)
        asked = replace(asked, order=None if order_id is None else (holder_id, order_id))
    if row.kind == OperationKind.GIFT:
        return await gifts.take_back(context, row, sent, key)
    if row.kind in _OF_RIGHTS:
        return await rights.take_back(context, row, sent, key)
    if row.kind == OperationKind.EXIT:
        return await exits.take_back(context, row, sent, key)
    if row.kind == OperationKind.TOP_UP or (
        row.kind == OperationKind.OPENING and await stored_value.was_paid(context, holder_id, operation_id)
    ):
        return await stored_value.take_back(context, row, sent, key)
    request = reverse_request(
        context.runtime,
        holder_id=holder_id,
        operation_id=operation_id,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        reason=sent["reason"],
        asked=asked,
        at_fault=context.runtime.catalogue.merchants_by_id[row.merchant_id] if sent.get("merchantAtFault") else None,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request)
