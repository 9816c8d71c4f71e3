"""Earning, spending and reversing across the alliance, as requests for the posting engine.

Points are valued here, by the rules and agreements of the event's time; what one merchant comes to owe another rides on
the request, so that it is written with the points or not at all.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple

from alliance.agreements.book import EarnTerms
from alliance.clearing.errors import NoAgreement, NotSpendable, WholeCardsOnly
from alliance.clearing.fault import grace_of
from alliance.clearing.grants import earn_in_parts, is_special, slides_of
from alliance.clearing.preview import Funding
from alliance.clearing.returns import worth_of_kept
from alliance.clearing.riders import Owing, OwingBack, OwingDecided, OwingEarned, Refusing
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, is_late, obligations, require_not_ahead, too_late, versions
from alliance.clearing.tenders import PaidBy, Paying
from alliance.clearing.tiers import by_tier, returning
from alliance.defaults.errors import PointsNotHonoured
from alliance.exits.commands import sold_into
from alliance.exposure.frozen import going
from alliance.exposure.riders import Promised, Room, capped
from alliance.runtime import Runtime
from alliance.stored_value.rules import elsewhere, require_earnable
from alliance.subsidies.commands import drawing
from alliance.subsidies.riders import DrawingBack
from domain.errors import InvalidInput, NotFound
from domain.guard.riders import Unbarred
from domain.ledger.commands import Earn, Grant, Redeem
from domain.ledger.orders import RedeemForOrder
from domain.ledger.request import Key, Rider
from domain.ledger.returns import EVERYTHING, Asked
from domain.ledger.reversals import Reverse
from domain.money import from_minor
from domain.pools.limits import WithinLimits
from domain.pools.model import PoolMoves
from domain.pools.riders import MOVERS, InPool
from domain.programs.catalogue import Catalogue, Currency, Merchant
from domain.programs.rules import Line, Tender, Valued, expiry_instant, points_for_order, value_purchase

Detail = tuple[str | None, str | None, str | None, str, str]
"""What is kept of a line: reference, sku, category, quantity and amount, the last two as they were sent."""
Details = Callable[[Valued], Any]
"""Makes what is kept of an order's lines, anything that orjson writes as a list, of what they earn."""


@by_tier
def earn_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    currency: str | None = None,
    money: str | None = None,
    lines: Sequence[Line] | None = None,
    details: Sequence[Detail] | Details | None = None,
    amount: int | None = None,
    points: int | None = None,
    tenders: Sequence[Tender] = (),
    paid_by: Sequence[PaidBy] = (),
    channel: str | None = None,
    store: str | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
    decided: bool = False,
    tier: str | None = None,
) -> Earn:
    """Points for a purchase at `merchant`, in its own currency or in another's under an agreement (A1).

    Exactly one of `lines` (amount in minor units of `money`, category), `amount` (minor units) and `points`. `details`,
    one a line, are kept on the operation with the points of each. `paid_by` are the tenders that name a redemption.
    With `decided` the operator has decided that it counts, however late it comes (A2).
    Where the merchant has tiers, nobody names one: the posting knows which the member has. Raises InvalidInput,
    NotFound; the posting refuses with NoAgreement, and as `Paying` does.
    """
    if (lines is None) + (amount is None) + (points is None) != 2:
        raise InvalidInput(reason="give exactly one of lines, amount and points")
    kind = currency_of(runtime.catalogue, merchant, currency)
    require_earnable(kind)
    require_store(merchant, store)
    if points is None:
        if money is None:
            raise InvalidInput(reason="an amount needs its currency", path=("amount",))
        bought = lines if lines is not None else [(amount or 0, None)]
        valued = value_purchase(merchant, kind.code, money, bought, tenders, occurred_at, tier)
    else:
        valued = Valued(points, [], [])
    beside: tuple[Grant, ...] = ()
    if merchant.beside and points is None and money is not None:
        order = (money, bought, tenders)
        beside, valued = _beside(runtime.catalogue, merchant, kind, valued, order, occurred_at, as_of, tier)
    issuer = runtime.catalogue.merchants_by_id[kind.merchant_id]
    policy = kind.policy_at(occurred_at)
    special = is_special(kind, policy, valued)
    cleared = _clear(runtime, "earn", merchant, kind, valued.points, occurred_at, as_of, dry_run, special)
    room = next((rider for rider in cleared.riders if isinstance(rider, Room)), None)
    riders = cleared.riders + _in_time(occurred_at, as_of, decided)
    if paid_by and money is not None:
        riders += (Paying(runtime.catalogue, merchant.id, money, tuple(paid_by)),)
    request = Earn(
        holder_id=member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        riders=riders,
        merchant_id=merchant.id,
        channel=channel,
        store=store,
        order_ref=order_ref,
        unique_order=merchant.unique_orders,
        currency=kind.code,
        issuer_id=issuer.id,
        funder_id=merchant.id if cleared.price else issuer.id,
        price=cleared.price,
        agreement_version=cleared.version,
        points=valued.points,
        expires_at=expiry_instant(policy.expiry, as_of, issuer.timezone),
        decisions=valued.decisions or None,
        lines=_kept(details, valued, amount, money),
        beside=beside,
    )
    if not special and room is None:
        return request
    slides = slides_of(kind, as_of, issuer.timezone)
    kept = partial(_kept, details, amount=amount, money=money)
    return earn_in_parts(request, policy, valued, slides, issuer.timezone, kept, room)


Bought = tuple[str, Sequence[Line], Sequence[Tender]]
"""What an order is valued from: its money, lines and tenders."""


def _beside(
    catalogue: Catalogue,
    merchant: Merchant,
    main: Currency,
    valued: Valued,
    bought: Bought,
    occurred_at: datetime,
    as_of: datetime,
    tier: str | None,
) -> tuple[tuple[Grant, ...], Valued]:
    """What a purchase earns in the merchant's other currencies; and all that decided it, which then names each."""
    grants: list[Grant] = []
    decisions = [{**one, "currency": main.code} for one in valued.decisions]
    money, lines, tenders = bought
    for code in merchant.beside:
        if code == main.code or (code, money) not in merchant.earning:
            continue
        worth = value_purchase(merchant, code, money, lines, tenders, occurred_at, tier)
        decisions += [{**one, "currency": code} for one in worth.decisions]
        if worth.points:
            expiry = catalogue.currencies[code].policy_at(occurred_at).expiry
            grants.append(Grant(code, worth.points, expiry_instant(expiry, as_of, merchant.timezone)))
    return tuple(grants), replace(valued, decisions=decisions)


def redeem_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    points: int | None,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    order: tuple[int, str] | None = None,
    currency: str | None = None,
    channel: str | None = None,
    store: str | None = None,
    order_ref: str | None = None,
    dry_run: bool = False,
    decided: bool = False,
    pool_id: uuid.UUID | None = None,
) -> Redeem:
    """Spend points at `merchant`, its own or another's under an agreement: then their issuer owes it for them (A1).

    They are the member's, or those of a pool where the member may spend. `decided` as for `earn_request`.

    With an `order` (minor units, money) as many as it takes and the wallet has, at most `points` if they are given,
    by the terms of the currency (R15). Raises InvalidInput, NotFound; the posting refuses with NoAgreement.
    """
    kind = currency_of(runtime.catalogue, merchant, currency)
    require_store(merchant, store)
    if points is not None and points <= 0:
        raise InvalidInput(reason="points must be positive", path=("points",))
    require_spendable(kind, points, occurred_at)
    exactly = points if order is None else None
    riders = _clear(runtime, "redeem", merchant, kind, exactly, occurred_at, as_of, dry_run).riders
    riders += _in_time(occurred_at, as_of, decided)
    if pool_id is not None:
        zone = runtime.catalogue.merchants_by_id[kind.merchant_id].timezone
        within = WithinLimits(pool_id, member_id, PoolMoves.SPEND, as_of, zone)
        riders = (
            InPool(pool_id, member_id, MOVERS, spends=True),
            Unbarred(member_id, kind.code, as_of),
            within,
            *riders,
        )
    common: dict[str, Any] = {
        "holder_id": pool_id or member_id,
        "key": key,
        "client_id": client_id,
        "as_of": as_of,
        "occurred_at": occurred_at,
        "dry_run": dry_run,
        "riders": riders,
        "merchant_id": merchant.id,
        "channel": channel,
        "store": store,
        "order_ref": order_ref,
        "unique_order": merchant.unique_orders,
        "currency": kind.code,
        "issuer_id": kind.merchant_id,
        "slides": slides_of(kind, as_of, runtime.catalogue.merchants_by_id[kind.merchant_id].timezone),
    }
    if order is None:
        if points is None:
            raise InvalidInput(reason="give points or orderAmount", path=("points",))
        return Redeem(points=points, **common)
    most = points_for_order(kind, *order, occurred_at)
    terms = kind.policy_at(occurred_at).redemption
    wanted = most if points is None else min(points, most)
    return RedeemForOrder(points=wanted, unit=terms.unit, minimum=terms.minimum, **common)


def reverse_request(
    runtime: Runtime,
    *,
    holder_id: uuid.UUID,
    operation_id: uuid.UUID,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    reason: str | None = None,
    asked: Asked = EVERYTHING,
    at_fault: Merchant | None = None,
    dry_run: bool = False,
) -> Reverse:
    """Undo what is asked of an operation, and what it made owed, in the open cycle (R18, R19, A7).

    With a merchant `at_fault` (where the operation was), spent points that come back live so many days more (R20).

    Raises InvalidInput.
    """
    require_not_ahead(occurred_at, as_of)
    owing = OwingBack(holder_id, operation_id, None if dry_run else as_of, runtime.agreements)
    kinds = runtime.catalogue.currencies.values()
    endless = [kind for kind in kinds if kind.kind == "tier_credits"]
    return Reverse(
        holder_id=holder_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        riders=(
            owing,
            *((DrawingBack((holder_id, operation_id)),) if runtime.agreements.subsidised else ()),
            *(() if dry_run else returning(runtime, holder_id, as_of)),
        ),
        operation_id=operation_id,
        clawback={merchant.id: merchant.clawback for merchant in runtime.catalogue.merchants.values()},
        floors={kind.code: None if kind in endless else kind.policy_at(as_of).floor for kind in kinds},
        endless={kind.code for kind in endless},
        note=reason,
        asked=asked,
        worth=worth_of_kept(runtime.catalogue),
        sold=sold_into(runtime.catalogue),
        grace=grace_of(runtime.catalogue, at_fault, as_of),
    )


def currency_of(catalogue: Catalogue, merchant: Merchant, code: str | None) -> Currency:
    """The points asked for: by default the merchant's own. Raises InvalidInput, NotFound."""
    code = code if code is not None else merchant.default_currency
    if code is None:
        raise InvalidInput(reason=f"{merchant.code} issues no points: name a currency", path=("currency",))
    found = catalogue.currencies.get(code)
    if found is None:
        raise NotFound(what=f"currency {code[:40]!r}", path=("currency",))
    return found


def require_spendable(currency: Currency, points: int | None, occurred_at: datetime) -> None:
    """Raises NotSpendable for tier credits (R11), WholeCardsOnly for stamps that fill no card."""
    if currency.kind == "tier_credits":
        raise NotSpendable(currency=currency.code, path=("currency",))
    card = currency.policy_at(occurred_at).card
    if card is not None and points is not None and points % card:
        raise WholeCardsOnly(card=card, currency=currency.code, path=("points",))


def require_store(merchant: Merchant, store: str | None) -> None:
    """Raises NotFound for a store that is none of the merchant's."""
    if store is not None and store not in merchant.stores:
        raise NotFound(what=f"store {store[:40]!r} of {merchant.code}", path=("store",))


def _in_time(occurred_at: datetime, as_of: datetime, decided: bool) -> tuple[Rider, ...]:
    """What refuses an event that comes so late that the operator has to decide about it."""
    refusal = None if decided else too_late(occurred_at, as_of)
    return () if refusal is None else (Refusing(refusal),)


def _kept(details: Sequence[Detail] | Details | None, valued: Valued, amount: int | None, money: str | None) -> Any:
    """What is kept of an order, so that parts of it can come back: its lines, an amount as one of them."""
    if not valued.lines or money is None:
        return None
    if callable(details):
        return details(valued)
    if details is None:
        if amount is None:
            return None
        details = [(None, None, None, "1", from_minor(amount, money))]
    paid = None if valued.paid is None else from_minor(valued.paid, money)
    return [money, paid, *((*detail, points) for detail, points in zip(details, valued.lines, strict=True))]


class _Cleared(NamedTuple):
    """The price of a point between merchant and issuer (10^-8), what writes the obligation, or refuses; and the version
    that the lots keep, where something is still to move.
    """

    price: int = 0
    riders: tuple[Rider, ...] = ()
    version: int | None = None


def _clear(
    runtime: Runtime,
    event: Literal["earn", "redeem"],
    merchant: Merchant,
    currency: Currency,
    points: int | None,
    occurred_at: datetime,
    as_of: datetime,
    dry_run: bool,
    in_parts: bool = False,
) -> _Cleared:
    """What a merchant and the issuer of points come to owe each other; nothing where the two are the same.

    A late event is valued at the dearer version for its sender, the merchant (A2): it pays the highest price for what
    it grants and gets the lowest for what was spent. With None for `points` they are decided with the posting. A dry
    run asks for no cycle, and says who pays for what is granted. Raises InvalidInput.
    """
    issuer_id = currency.merchant_id
    late = is_late(occurred_at, as_of, runtime.catalogue.alliance)
    if issuer_id == merchant.id:
        frozen = event == "earn" and merchant.frozen_since is not None
        return _Cleared(riders=going((merchant,), None, ("merchant",))) if frozen else _Cleared()
    if (refused := elsewhere(runtime.catalogue, merchant, currency)) is not None:
        return _Cleared(riders=(Refusing(refused),))
    issuer = runtime.catalogue.merchants_by_id[issuer_id]
    if issuer.unhonoured_since is not None and event == "redeem":
        return _Cleared(riders=(Refusing(PointsNotHonoured(merchant=issuer.code, path=("currency",))),))
    found = versions(runtime.agreements, merchant.id, issuer_id, occurred_at, as_of if late else None, event)
    place = (merchant.id, currency.code)
    terms = [version.earn.get(place) if event == "earn" else version.redeem.get(place) for version in found]
    if not terms or terms[0] is None:
        refusal = NoAgreement(merchant=merchant.code, event=event, currency=currency.code, path=("currency",))
        return _Cleared(riders=(Refusing(refusal),))
    prices = [(term, version) for term, version in zip(terms, found, strict=True) if term is not None]
    term, version = (max if event == "earn" else min)(prices, key=lambda pair: pair[0].owed)
    debtor_id, creditor_id = (merchant.id, issuer_id) if event == "earn" else (issuer_id, merchant.id)
    owed_for = partial(
        obligations,
        event,
        version,
        debtor_id=debtor_id,
        creditor_id=creditor_id,
        issuer_id=issuer_id,
        operator_id=runtime.catalogue.alliance.id,
        currency=currency.code,
        owed=term.owed,
        at_use=term.at_use if isinstance(term, EarnTerms) else 0,
        late=late,
    )
    price, opened = term.owed * PRICE_OF_MILLIONTHS, None if dry_run else as_of
    merchants = capped(runtime.catalogue, event, version, debtor_id, issuer_id)
    if not isinstance(term, EarnTerms):
        promised = (Promised(merchants, owed_for, term.past_reserve),) if merchants else ()
        if points is None:
            return _Cleared(price, (OwingDecided(owed_for, opened), *promised))
        lines = owed_for(points=points)
        return _Cleared(price, (Owing(lines, opened), *promised) if lines else ())
    riders = drawing(runtime.agreements, version, currency.code, term.owed, occurred_at) if points else ()
    if points and (lines := owed_for(points=points)):
        room = (Room(merchants, owed_for),) if merchants else ()
        riders += (OwingEarned(owed_for, opened) if in_parts or room else Owing(lines, opened), *room)
    riders = going((merchant, runtime.catalogue.merchants_by_id[issuer_id]), opened, ("merchant",)) + riders
    if dry_run:
        riders += (Funding(term),)
    return _Cleared(price, riders, version.version if term.settles_later else None)
