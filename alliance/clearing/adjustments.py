"""What staff moves by hand (A16), as requests for the posting engine. The merchant whose staff did it funds it (A1)."""

import uuid
from datetime import datetime

from alliance.clearing.errors import NoAgreement
from alliance.clearing.model import ObligationKind
from alliance.clearing.riders import Owing, Refusing
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, is_late, obligations, versions
from alliance.clearing.tiers import adjusting
from alliance.exposure.frozen import going
from alliance.exposure.riders import Within, capped
from alliance.runtime import Runtime
from alliance.stored_value.limits import within_limit
from alliance.stored_value.rules import is_money
from alliance.subsidies.commands import drawing
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ledger.adjustments import Adjust, AdjustmentLimits, Reinstate
from domain.ledger.request import Key, Rider
from domain.programs.catalogue import Currency, ExpiryPolicy, Merchant
from domain.programs.jurisdictions import forbids_expiry, profile_of
from domain.programs.rules import day_bounds, expiry_instant


def adjust_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant: Merchant,
    currency: str | None,
    points: int,
    reason: str,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    dry_run: bool = False,
) -> Adjust:
    """Give points by hand, or take some (`points` below zero).

    Another's points are given under an agreement, at its issue price and without fees; only their issuer takes them.
    Raises InvalidInput, NotFound, NotAllowed; the posting refuses with NoAgreement.
    """
    code = currency if currency is not None else merchant.default_currency
    kind = runtime.catalogue.currencies.get(code or "")
    if kind is None:
        raise NotFound(what=f"currency {(code or '')[:40]!r}", path=("currency",))
    if points < 0 and merchant.id != kind.merchant_id:
        raise NotAllowed(reason="points are taken away by their issuer", path=("points",))
    if points < 0 and is_money(kind):
        raise NotAllowed(reason="what was paid for is paid back, not taken away", path=("points",))
    if not reason.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    issuer = runtime.catalogue.merchants_by_id[kind.merchant_id]
    price, riders, version = _owed(runtime, merchant, kind, points, occurred_at, as_of, dry_run)
    if points > 0:
        opened = None if dry_run or issuer is merchant else as_of
        riders = going((merchant, issuer), opened, ("merchant",)) + riders
    tiers: tuple[Rider, ...] = () if dry_run else adjusting(runtime, kind.code, member_id, as_of)
    if points > 0 and is_money(kind):
        tiers += within_limit(runtime.catalogue, issuer, kind, member_id, as_of, path="points")
    return Adjust(
        holder_id=member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=occurred_at,
        dry_run=dry_run,
        riders=riders + tiers,
        merchant_id=merchant.id,
        currency=kind.code,
        issuer_id=issuer.id,
        points=points,
        reason=reason,
        limits=AdjustmentLimits(merchant.adjust_limit, merchant.adjust_per_day),
        day=day_bounds(as_of, merchant.timezone),
        price=price,
        agreement_version=version,
        expires_at=expiry_instant(kind.policy_at(occurred_at).expiry, as_of, issuer.timezone),
    )


def _owed(
    runtime: Runtime,
    merchant: Merchant,
    currency: Currency,
    points: int,
    occurred_at: datetime,
    as_of: datetime,
    dry_run: bool,
) -> tuple[int, tuple[Rider, ...], int | None]:
    """The price of a point that the merchant pays its issuer (10^-8), and the rider that writes what it comes to owe;
    and the version that the lot keeps, where some of it moves later.

    A late adjustment is valued at the dearer version, as an earn is (A2). Raises InvalidInput.
    """
    late = is_late(occurred_at, as_of, runtime.catalogue.alliance)
    if merchant.id == currency.merchant_id:
        return 0, (), None
    found = versions(runtime.agreements, merchant.id, currency.merchant_id, occurred_at, as_of if late else None)
    place = (merchant.id, currency.code)
    prices = [(version.earn[place], version) for version in found if place in version.earn]
    if not prices or place not in found[0].earn:
        refusal = NoAgreement(merchant=merchant.code, event="earn", currency=currency.code, path=("currency",))
        return 0, (Refusing(refusal),), None
    terms, version = max(prices, key=lambda pair: pair[0].owed)
    lines = obligations(
        "earn",
        version,
        debtor_id=merchant.id,
        creditor_id=currency.merchant_id,
        issuer_id=currency.merchant_id,
        operator_id=runtime.catalogue.alliance.id,
        currency=currency.code,
        points=points,
        owed=terms.owed,
        at_use=terms.at_use,
        late=late,
    )
    main = tuple(line for line in lines if line.kind is not ObligationKind.FEE)
    riders: tuple[Rider, ...] = ()
    if main:
        merchants = capped(runtime.catalogue, "earn", version, merchant.id, currency.merchant_id)
        within = (Within(merchants, main),) if merchants else ()
        riders = (Owing(main, None if dry_run else as_of), *within)
    riders += drawing(runtime.agreements, version, currency.code, terms.owed, occurred_at)
    return terms.owed * PRICE_OF_MILLIONTHS, riders, version.version if terms.settles_later else None


def reinstate_request(
    runtime: Runtime,
    *,
    holder_id: uuid.UUID,
    operation_id: uuid.UUID,
    issuer: Merchant,
    currency: str,
    points: int | None,
    reason: str,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    dry_run: bool = False,
) -> Reinstate:
    """Bring back what an operation expired (R5), until the end of the issuer's `graceDays`.

    For ever where the issuer's law lets no points end by time; the posting asks the member's. Credits of tiers lift
    as earned ones do. Raises InvalidInput.
    """
    if not reason.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    grace = ExpiryPolicy("rolling", days=issuer.grace_days)
    today = as_of.astimezone(issuer.timezone).date()
    forbidden = forbids_expiry(profile_of(issuer.jurisdiction, today), grace)
    expires_at = None if forbidden else expiry_instant(grace, as_of, issuer.timezone)
    return Reinstate(
        holder_id=holder_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=() if dry_run else adjusting(runtime, currency, holder_id, as_of),
        operation_id=operation_id,
        points=points,
        expires_at=expires_at,
        reason=reason,
    )
