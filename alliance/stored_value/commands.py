"""Topping up stored value and paying it back, as requests for the posting engine (L4).

Nothing is owed between merchants: the issuer takes the money, and pays it back.
"""

import uuid
from datetime import datetime

from alliance.clearing.commands import require_store
from alliance.clearing.rules import require_not_ahead
from alliance.runtime import Runtime
from alliance.stored_value.limits import within_limit
from alliance.stored_value.rules import is_money
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.request import Key
from domain.ledger.stored_value import Refund, ReverseTopUp, TopUp
from domain.money import to_minor
from domain.programs.catalogue import Catalogue, Currency, Merchant
from domain.programs.rules import expiry_instant

Money = tuple[str, str]
"""An amount as a decimal string, and its currency."""


def top_up_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    paid: Money,
    bonus: Money | None,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    currency: str | None = None,
    channel: str | None = None,
    store: str | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
) -> TopUp:
    """Stored value for what was paid at its issuer, and a bonus on top. Only the bonus ends, by the currency's policy.

    It earns nothing: bought value does not become points (L5). Raises InvalidInput, NotFound, NotAllowed; the posting
    refuses with StoredValueLimitExceeded.
    """
    require_not_ahead(occurred_at, as_of)
    kind = stored_value_of(runtime.catalogue, merchant, currency)
    require_store(merchant, store)
    expiry = kind.policy_at(occurred_at).expiry
    return TopUp(
        holder_id=member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        riders=within_limit(runtime.catalogue, merchant, kind, member_id, as_of),
        merchant_id=merchant.id,
        channel=channel,
        store=store,
        order_ref=order_ref,
        unique_order=merchant.unique_orders,
        currency=kind.code,
        issuer_id=merchant.id,
        paid=_minor(kind, paid, "paid"),
        bonus=0 if bonus is None else _minor(kind, bonus, "bonus"),
        bonus_expires_at=expiry_instant(expiry, as_of, merchant.timezone),
    )


def refund_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    amount: Money | None,
    reason: str,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    currency: str | None = None,
    dry_run: bool = False,
) -> Refund:
    """Pay back what was paid for and not spent, all of it or `amount`. Raises InvalidInput, NotFound, NotAllowed."""
    kind = stored_value_of(runtime.catalogue, merchant, currency)
    if not reason.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    return Refund(
        holder_id=member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        merchant_id=merchant.id,
        currency=kind.code,
        issuer_id=merchant.id,
        amount=None if amount is None else _minor(kind, amount, "amount"),
        reason=reason,
    )


def reverse_top_up_request(
    *,
    holder_id: uuid.UUID,
    operation_id: uuid.UUID,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    reason: str | None = None,
    dry_run: bool = False,
) -> ReverseTopUp:
    """Undo a top up, as long as nothing paid of it was used."""
    return ReverseTopUp(
        holder_id=holder_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        operation_id=operation_id,
        note=reason,
    )


def stored_value_of(catalogue: Catalogue, merchant: Merchant, code: str | None) -> Currency:
    """The stored value that a call at its issuer means: by default the merchant's first.

    Raises InvalidInput, NotFound, and NotAllowed for another merchant's.
    """
    own = [catalogue.currencies[one] for one in merchant.currencies]
    found = next((kind for kind in own if is_money(kind)), None) if code is None else catalogue.currencies.get(code)
    if found is None:
        what = f"stored value of {merchant.code}" if code is None else f"currency {code[:40]!r}"
        raise NotFound(what=what, path=("currency",))
    if not is_money(found):
        raise InvalidInput(reason=f"{found.code} is not stored value", path=("currency",))
    if found.merchant_id != merchant.id:
        raise NotAllowed(reason="only its issuer takes money for it and pays it back", path=("currency",))
    return found


def _minor(kind: Currency, money: Money, path: str) -> int:
    """Money in minor units of the stored value. Raises InvalidInput."""
    amount, currency = money
    wanted = kind.policies[0].worth_currency
    if wanted is None or currency != wanted:
        raise InvalidInput(reason=f"{kind.code} is {wanted}", path=(path, "currency"))
    try:
        return to_minor(amount, wanted)
    except InvalidInput as refusal:
        raise refusal.at(path, "amount") from None
