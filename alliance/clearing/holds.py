"""Holding points for a merchant and capturing them, as requests for the posting engine (R14).

A hold at a partner keeps the version of the agreement that was in force: whenever it is captured, it is settled at that
version's price (A2). Nothing is owed before; what a capture would make owed is reserved under the issuer's cap (A5).
"""

import uuid
from datetime import datetime, timedelta
from functools import partial

from alliance.agreements.book import AgreementVersion
from alliance.clearing.commands import currency_of, require_spendable, require_store
from alliance.clearing.errors import NoAgreement
from alliance.clearing.grants import slides_of
from alliance.clearing.riders import Owing, Refusing
from alliance.clearing.rules import Owed, obligations
from alliance.exposure.positions import raised
from alliance.exposure.promises import Kept, LettingGo, Reserving
from alliance.exposure.riders import Capped, Promised, capped
from alliance.runtime import Runtime
from alliance.stored_value.rules import elsewhere
from domain.errors import InvalidInput
from domain.guard.riders import Unbarred
from domain.ledger.due import DueHold
from domain.ledger.holds import CaptureHold, HoldPoints, LapseHold, ReleaseHold
from domain.ledger.model import Hold
from domain.ledger.request import Key, Rider
from domain.pools.limits import WithinLimits
from domain.pools.model import PoolMoves
from domain.pools.riders import MOVERS, InPool, OfHold
from domain.programs.catalogue import Merchant

SECONDS = range(1, 7 * 24 * 3600 + 1)
"""How long a hold may last."""

DEFAULT_SECONDS = 900


def hold_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    points: int,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    seconds: int = DEFAULT_SECONDS,
    currency: str | None = None,
    channel: str | None = None,
    store: str | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
    pool_id: uuid.UUID | None = None,
) -> HoldPoints:
    """Set points aside for `merchant`, its own or another's under an agreement, for so many seconds.

    They are the member's, or those of a pool where the member may spend. A dry run says what a capture would make owed.

    Raises InvalidInput, NotFound; the posting refuses with NoAgreement, and as any debit.
    """
    if seconds not in SECONDS:
        raise InvalidInput(reason=f"must lie within {SECONDS[0]} and {SECONDS[-1]} seconds", path=("expiresIn",))
    kind = currency_of(runtime.catalogue, merchant, currency)
    require_store(merchant, store)
    require_spendable(kind, points, as_of)
    riders: tuple[Rider, ...] = ()
    version, reserves = None, None
    if (refused := elsewhere(runtime.catalogue, merchant, kind)) is not None:
        riders = (Refusing(refused),)
    elif kind.merchant_id != merchant.id:
        version = runtime.agreements.spending(merchant.id, kind.merchant_id, as_of)
        if version is None or (merchant.id, kind.code) not in version.redeem:
            refusal = NoAgreement(merchant=merchant.code, event="redeem", currency=kind.code, path=("currency",))
            riders = (Refusing(refusal),)
        else:
            owed_for = partial(_owed, runtime, version, merchant.id, kind.merchant_id, kind.code)
            lines = owed_for(points=points)
            reserves = raised(lines) or None
            riders = (Owing(lines, None),) if dry_run else ()
            if reserves is not None and not dry_run:
                riders = (Reserving(reserves, as_of),)
            if merchants := _capped(runtime, version, kind.merchant_id):
                riders += (Promised(merchants, owed_for, version.redeem[merchant.id, kind.code].past_reserve),)
    if pool_id is not None:
        zone = runtime.catalogue.merchants_by_id[kind.merchant_id].timezone
        within = WithinLimits(pool_id, member_id, PoolMoves.SPEND, as_of, zone)
        riders = (
            InPool(pool_id, member_id, MOVERS, spends=True),
            Unbarred(member_id, kind.code, as_of),
            within,
            *riders,
        )
    return HoldPoints(
        holder_id=pool_id or member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=riders,
        merchant_id=merchant.id,
        channel=channel,
        store=store,
        order_ref=order_ref,
        unique_order=merchant.unique_orders,
        currency=kind.code,
        issuer_id=kind.merchant_id,
        points=points,
        expires_at=as_of + timedelta(seconds=seconds),
        agreement_version=None if version is None else version.version,
        reserves=reserves,
    )


async def capture_request(
    runtime: Runtime,
    *,
    hold: Hold,
    points: int | None,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    dry_run: bool = False,
) -> CaptureHold:
    """Spend so many of the points held, by default all, at the version and price of the hold.

    Raises InvalidInput. The posting refuses with HoldExceeded, AlreadyCaptured, AlreadyReleased, HoldLapsed.
    """
    points = hold.points if points is None else points
    require_spendable(runtime.catalogue.currencies[hold.currency], points, hold.held_at)
    riders: tuple[Rider, ...] = ()
    place = (hold.holder_id, hold.id)
    if hold.agreement_version is not None:
        version = await _version(runtime, hold)
        lines = _owed(runtime, version, hold.merchant_id, hold.issuer_id, hold.currency, points)
        riders = (Owing(lines, None if dry_run else as_of),) if lines else ()
        if lines and (merchants := _capped(runtime, version, hold.issuer_id)):
            riders += (Kept(merchants, place, lines),)
    riders += () if dry_run else _letting_go(place, hold.reserves is not None, as_of)
    riders = (*riders, OfHold(*place))
    zone = runtime.catalogue.merchants_by_id[hold.issuer_id].timezone
    return CaptureHold(
        holder_id=hold.holder_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=riders,
        merchant_id=hold.merchant_id,
        channel=hold.channel,
        store=hold.store,
        order_ref=hold.order_ref,
        unique_order=runtime.catalogue.merchants_by_id[hold.merchant_id].unique_orders,
        currency=hold.currency,
        issuer_id=hold.issuer_id,
        slides=slides_of(runtime.catalogue.currencies[hold.currency], as_of, zone),
        points=points,
        hold_id=hold.id,
    )


def release_request(*, hold: Hold, as_of: datetime, key: Key | None, client_id: uuid.UUID | None) -> ReleaseHold:
    """Give back all that was held. The posting refuses with AlreadyCaptured, AlreadyReleased, HoldLapsed."""
    return ReleaseHold(
        holder_id=hold.holder_id,
        hold_id=hold.id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        riders=_letting_go((hold.holder_id, hold.id), hold.reserves is not None, as_of),
    )


def lapse_request(due: DueHold, as_of: datetime) -> LapseHold:
    """Give back what was held past its time. Needs no key: what has lapsed is not due again."""
    return LapseHold(
        holder_id=due.holder_id,
        hold_id=due.id,
        key=None,
        client_id=None,
        as_of=as_of,
        occurred_at=as_of,
        riders=_letting_go((due.holder_id, due.id), due.reserves, as_of),
    )


def _letting_go(place: tuple[uuid.UUID, uuid.UUID], reserves: bool, as_of: datetime) -> tuple[Rider, ...]:
    return (LettingGo(place, as_of),) if reserves else ()


def _capped(runtime: Runtime, version: AgreementVersion, issuer_id: uuid.UUID) -> Capped:
    return capped(runtime.catalogue, "redeem", version, issuer_id, issuer_id)


async def _version(runtime: Runtime, hold: Hold) -> AgreementVersion:
    """The version that the hold keeps, whatever is in force now."""
    pair = frozenset((hold.merchant_id, hold.issuer_id))
    for ahead in (False, True):
        if ahead:  # another process, ahead of this one, made the hold
            await runtime.refresh()
        for version in runtime.agreements.pairs.get(pair, ()):
            if version.version == hold.agreement_version:
                return version
    raise LookupError(f"version {hold.agreement_version} of the agreement of hold {hold.id} is gone")


def _owed(
    runtime: Runtime,
    version: AgreementVersion,
    merchant_id: uuid.UUID,
    issuer_id: uuid.UUID,
    currency: str,
    points: int,
) -> tuple[Owed, ...]:
    """What the issuer comes to owe for the points. Raises InvalidInput for a sum that is too large."""
    return obligations(
        "redeem",
        version,
        debtor_id=issuer_id,
        creditor_id=merchant_id,
        issuer_id=issuer_id,
        operator_id=runtime.catalogue.alliance.id,
        currency=currency,
        points=points,
        owed=version.redeem[merchant_id, currency].owed,
    )
