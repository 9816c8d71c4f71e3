"""Rights across the alliance, as requests for the posting engine: granted by one merchant, used at another (A15).

A right keeps the prices of all agreements that are in force when it is granted: whenever it is used, it is settled at
those (A2). That its merchants still have an agreement then is looked at again.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from alliance.agreements.book import AgreementVersion, Fee, RightTerms
from alliance.benefits.riders import OwingRight, OwingRightBack
from alliance.clearing.commands import require_store
from alliance.clearing.riders import Refusing
from alliance.clearing.rules import is_late, require_not_ahead, share_of, too_late
from alliance.exposure.frozen import going
from alliance.exposure.riders import Capped, with_caps
from alliance.runtime import Runtime
from domain.benefits.commands import (
    CancelRight,
    EndBooking,
    ExpireRight,
    GrantRight,
    ReserveRight,
    RestoreRight,
    UseRight,
)
from domain.benefits.errors import RightNotUsable
from domain.benefits.model import Right
from domain.benefits.rules import Charge, Codes, Price, places, set_aside
from domain.errors import InvalidInput, NotFound
from domain.ledger.request import Key, Rider
from domain.programs.benefits import Benefit, currency_of
from domain.programs.catalogue import Merchant
from domain.programs.rules import expiry_instant

MOST_BOOKED = timedelta(days=366)
"""How far ahead a right is booked."""

DEFAULT_BOOKED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, when, and where: what all that is done to rights shares. `at` is the merchant at whose till it is."""

    at: Merchant
    occurred_at: datetime
    as_of: datetime
    key: Key | None
    client_id: uuid.UUID | None
    channel: str | None = None
    store: str | None = None
    order_ref: str | None = None
    dry_run: bool = False

    def fields(self) -> dict[str, object]:
        """As a request has them. Raises NotFound for a store that is none of the merchant's."""
        require_store(self.at, self.store)
        names = ("occurred_at", "as_of", "key", "client_id", "channel", "store", "order_ref", "dry_run")
        return {name: getattr(self, name) for name in names} | {"merchant_id": self.at.id}


def grant_request(
    runtime: Runtime,
    call: Call,
    *,
    member_id: uuid.UUID,
    kind: str,
    codes: Codes,
    quantity: int | None = None,
    valid_from: datetime | None = None,
) -> GrantRight:
    """Let a member use a benefit of `call.at`: as often as its file says, unless `quantity` does.

    Raises InvalidInput, NotFound; the posting refuses with RightSoldOut, RightLimitExceeded, MemberNotActive, and with
    MerchantFrozen: what a merchant has granted before is used all the same.
    """
    require_not_ahead(call.occurred_at, call.as_of)
    benefit = benefit_of(call.at, kind)
    begins = call.as_of if valid_from is None else max(valid_from, call.as_of)
    prices = tuple(_prices(runtime, call.at, benefit, call.as_of))
    return GrantRight(
        **call.fields(),  # type: ignore[arg-type]
        holder_id=member_id,
        kind=benefit.code,
        currency=currency_of(call.at.code, benefit.code),
        quantity=benefit.uses if quantity is None else quantity,
        valid_from=begins,
        expires_at=expiry_instant(benefit.expiry, begins, call.at.timezone),
        at=places(prices, call.at.id, benefit.reaches(call.at.code)),
        prices=prices,
        aside=set_aside(prices, benefit.cost),
        own_cost=benefit.cost,
        codes=codes,
        riders=going([call.at], None if call.dry_run else call.as_of, ("merchant",)),
    )


def benefit_of(merchant: Merchant, kind: str) -> Benefit:
    """A kind of right of a merchant's. Raises NotFound."""
    found = merchant.benefits.get(kind)
    if found is None:
        raise NotFound(what=f"right {kind[:40]!r} of {merchant.code}", path=("kind",))
    return found


def use_request(
    runtime: Runtime,
    call: Call,
    right: Right,
    *,
    quantity: int = 1,
    code_hash: bytes | None = None,
    decided: bool = False,
) -> UseRight:
    """Use a right at `call.at`. `decided`: the operator counts it, however late it comes (A2).

    Raises InvalidInput, NotFound; the posting refuses as `UseRight` does, with RightNotUsable where the two merchants
    have no agreement any more, and TooLate.
    """
    late = is_late(call.occurred_at, call.as_of, runtime.catalogue.alliance)
    riders = _agreed(runtime, call, right)
    if not decided and (refusal := too_late(call.occurred_at, call.as_of)) is not None:
        riders += (Refusing(refusal),)
    return UseRight(
        **call.fields(),  # type: ignore[arg-type]
        **_of(right),  # type: ignore[arg-type]
        riders=(*riders, _owing(runtime, call, right, late=late)),
        quantity=quantity,
        place=call.at.code,
        code_hash=code_hash,
    )


def reserve_request(
    runtime: Runtime,
    call: Call,
    right: Right,
    *,
    until: datetime | None = None,
    cancel_until: datetime | None = None,
    code_hash: bytes | None = None,
) -> ReserveRight:
    """Set one use of a right aside at `call.at`, `until` then. With `cancel_until` the member promises to come.

    Raises InvalidInput, NotFound; the posting refuses as `use_request` does.
    """
    ends = call.as_of + DEFAULT_BOOKED if until is None else until
    if not call.as_of < ends <= call.as_of + MOST_BOOKED:
        raise InvalidInput(reason=f"must lie ahead, at most {MOST_BOOKED.days} days", path=("until",))
    if cancel_until is not None and not call.as_of <= cancel_until <= ends:
        raise InvalidInput(reason="must lie between now and the end of the booking", path=("cancelUntil",))
    return ReserveRight(
        **call.fields(),  # type: ignore[arg-type]
        **_of(right),  # type: ignore[arg-type]
        riders=(*_agreed(runtime, call, right), _owing(runtime, call, right)),
        expires_at=ends,
        cancel_until=cancel_until,
        place=call.at.code,
        code_hash=code_hash,
    )


def end_booking_request(
    runtime: Runtime, call: Call, right: Right, booking_id: uuid.UUID, *, lapses: bool = False
) -> EndBooking:
    """Cancel a booking at `call.at`, where it was made; or (`lapses`) follow up that its time is over.

    The posting refuses with BookingEnded.
    """
    return EndBooking(
        **call.fields(),  # type: ignore[arg-type]
        **_of(right),  # type: ignore[arg-type]
        riders=(_owing(runtime, call, right),),
        booking_id=booking_id,
        lapses=lapses,
    )


def cancel_request(
    call: Call, right: Right, *, reason: str | None = None, reverses: uuid.UUID | None = None
) -> CancelRight:
    """Take back what is left of a right; see `CancelRight`."""
    fields = call.fields() | _of(right)
    return CancelRight(**fields, note=reason, reverses=reverses)  # type: ignore[arg-type]


def expire_request(right: Right, as_of: datetime) -> ExpireRight:
    """Book that a right is past its date. Needs no key: what has expired is not due again."""
    return ExpireRight(
        **_of(right),  # type: ignore[arg-type]
        merchant_id=right.grantor_id,
        key=None,
        client_id=None,
        as_of=as_of,
        occurred_at=as_of,
    )


def restore_request(call: Call, right: Right, operation_id: uuid.UUID, *, reason: str | None = None) -> RestoreRight:
    """Undo a use, a no-show or a cancellation, and what it made owed. Raises InvalidInput.

    The posting refuses with NotReversible, AlreadyReversed, RightSoldOut.
    """
    require_not_ahead(call.occurred_at, call.as_of)
    back = OwingRightBack(right.holder_id, operation_id, None if call.dry_run else call.as_of)
    fields = call.fields() | _of(right)
    return RestoreRight(
        **fields,  # type: ignore[arg-type]
        riders=(back,),
        operation_id=operation_id,
        kind=right.kind,
        note=reason,
    )


def _of(right: Right) -> dict[str, object]:
    """Which right a request is about, and whose accounts it moves."""
    moves = right.stocked or right.cost is not None
    return {"holder_id": right.holder_id, "right_id": right.id, "grantor_id": right.grantor_id if moves else None}


def _prices(runtime: Runtime, grantor: Merchant, benefit: Benefit, moment: datetime) -> Iterator[Price]:
    """What a use costs at each partner that has agreed on it by this moment."""
    for merchant in runtime.catalogue.merchants.values():
        if merchant.id == grantor.id or not benefit.reaches(merchant.code):
            continue
        version = runtime.agreements.between(grantor.id, merchant.id, moment)
        terms = None if version is None else _terms(version, grantor, merchant, benefit.code)
        if version is not None and terms is not None:
            no_show = _charge(version, terms, terms.no_show) if terms.no_show else None
            use = _charge(version, terms, terms.price)
            yield Price(merchant.id, version.agreement_id, version.version, use, no_show)


def _terms(version: AgreementVersion, grantor: Merchant, at: Merchant, kind: str) -> RightTerms | None:
    place = (grantor.id, at.id, kind)
    return next((one for one in version.rights if (one.grantor, one.at, one.kind) == place), None)


def _charge(version: AgreementVersion, terms: RightTerms, amount: int) -> Charge:
    def fee(one: Fee) -> tuple[uuid.UUID, int]:
        payer = terms.grantor if one.payer == "issuer" else terms.at
        return payer, share_of(amount, one.share) + one.amount

    fees = [fee(one) for one in version.fee_on("right")]
    return Charge(amount, tuple((payer, millionths) for payer, millionths in fees if millionths))


def _agreed(runtime: Runtime, call: Call, right: Right) -> tuple[Rider, ...]:
    """What refuses a right whose merchants have no agreement on it any more; one that runs off still counts (A12)."""
    if call.at.id == right.grantor_id:
        return ()
    grantor = runtime.catalogue.merchants_by_id[right.grantor_id]
    version = runtime.agreements.spending(call.at.id, grantor.id, call.occurred_at)
    if version is not None and _terms(version, grantor, call.at, right.kind) is not None:
        return ()
    return (Refusing(RightNotUsable(merchant=call.at.code, path=("merchant",))),)


def _owing(runtime: Runtime, call: Call, right: Right, *, late: bool = False) -> OwingRight:
    return OwingRight(
        right.holder_id,
        right.id,
        runtime.catalogue.alliance.id,
        None if call.dry_run else call.as_of,
        _capped(runtime, call, right),
        late,
    )


def _capped(runtime: Runtime, call: Call, right: Right) -> Capped:
    """Whose position a use may raise: the grantor's, and that of whoever pays a fee."""
    price = next((one for one in map(Price.from_json, right.prices) if one.at == call.at.id), None)
    if price is None:
        return ()
    charges = [charge for charge in (price.use, price.no_show) if charge is not None]
    payers = {payer for charge in charges for payer, _ in charge.fees}
    return with_caps(runtime.catalogue, {right.grantor_id, *payers})
