"""Gifts between members, as requests for the posting engine. They make nothing owed between merchants (A1)."""

import uuid
from datetime import datetime
from typing import Literal

from alliance.clearing.fault import grace_of
from alliance.clearing.newcomers import waiting
from alliance.runtime import Runtime
from domain.errors import NotFound
from domain.guard.riders import Unbarred
from domain.ledger.gifts import Gift, GiftLimits, ReverseGift
from domain.ledger.model import OperationKind
from domain.ledger.request import Key, Rider
from domain.pools.limits import WithinLimits
from domain.pools.model import PoolMoves
from domain.pools.riders import ALL, MOVERS, InPool
from domain.programs.catalogue import Merchant
from domain.programs.rules import day_bounds


def gift_request(
    runtime: Runtime,
    *,
    giver_id: uuid.UUID,
    receiver_id: uuid.UUID,
    currency: str,
    points: int,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    note: str | None = None,
    dry_run: bool = False,
    kind: OperationKind = OperationKind.GIFT,
    riders: tuple[Rider, ...] = (),
) -> Gift:
    """Points of one member for another, within the limits of today's policy of the currency (R6).

    A day is one of the issuer's time zone. Raises NotFound for an unknown currency; the posting refuses the rest.
    """
    of = runtime.catalogue.currencies.get(currency)
    if of is None:
        raise NotFound(what=f"currency {currency[:40]!r}", path=("currency",))
    gifts = of.policy_at(as_of).gifts
    return Gift(
        holder_id=giver_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=riders if gifts is None else (*waiting(giver_id, gifts.wait_days, as_of), *riders),
        to_holder_id=receiver_id,
        currency=of.code,
        issuer_id=of.merchant_id,
        points=points,
        limits=None if gifts is None else GiftLimits(gifts.max_points, gifts.per_day, gifts.max_depth),
        day=day_bounds(as_of, runtime.catalogue.merchants_by_id[of.merchant_id].timezone),
        note=note,
        kind=kind,
    )


def pool_request(
    runtime: Runtime,
    *,
    kind: Literal[OperationKind.POOL_IN, OperationKind.POOL_OUT],
    pool_id: uuid.UUID,
    member_id: uuid.UUID,
    currency: str,
    points: int,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    dry_run: bool = False,
) -> Gift:
    """Points that a member puts into a pool, or takes out of it to their own wallet: as gifts, with the same limits.

    Everybody in the pool puts in; the owner and spenders take out. Raises as `gift_request`.
    """
    inward = kind == OperationKind.POOL_IN
    giver_id, receiver_id = (member_id, pool_id) if inward else (pool_id, member_id)
    return gift_request(
        runtime,
        giver_id=giver_id,
        receiver_id=receiver_id,
        currency=currency,
        points=points,
        as_of=as_of,
        key=key,
        client_id=client_id,
        dry_run=dry_run,
        kind=kind,
        riders=(
            InPool(pool_id, member_id, ALL if inward else MOVERS),
            Unbarred(member_id, currency, as_of),
            *_limited(runtime, pool_id, member_id, currency, as_of, inward=inward),
        ),
    )


def _limited(
    runtime: Runtime, pool_id: uuid.UUID, member_id: uuid.UUID, currency: str, as_of: datetime, *, inward: bool
) -> tuple[Rider, ...]:
    """The pool's own limits; an unknown currency is refused elsewhere."""
    of = runtime.catalogue.currencies.get(currency)
    if of is None:
        return ()
    zone = runtime.catalogue.merchants_by_id[of.merchant_id].timezone
    return (WithinLimits(pool_id, member_id, PoolMoves.CONTRIBUTE if inward else PoolMoves.SPEND, as_of, zone),)


def reverse_gift_request(
    runtime: Runtime,
    *,
    giver_id: uuid.UUID,
    receiver_id: uuid.UUID,
    operation_id: uuid.UUID,
    currency: str,
    as_of: datetime,
    occurred_at: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    reason: str | None = None,
    at_fault: Merchant | None = None,
    dry_run: bool = False,
) -> ReverseGift:
    """Take a gift back, as long as the receiver's points are whole.

    With a merchant `at_fault` they live so many days more (R20).
    """
    return ReverseGift(
        holder_id=giver_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        to_holder_id=receiver_id,
        operation_id=operation_id,
        currency=currency,
        note=reason,
        clawback={merchant.id: merchant.clawback for merchant in runtime.catalogue.merchants.values()},
        grace=grace_of(runtime.catalogue, at_fault, as_of),
    )
