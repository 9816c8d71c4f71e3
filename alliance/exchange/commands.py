"""Quotes, and the exchange of one merchant's points for another's at a quote (A3, A4)."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import AgreementVersion, ExchangeTerms
from alliance.clearing.errors import NoAgreement
from alliance.clearing.grants import Slides, slides_of
from alliance.clearing.newcomers import waiting
from alliance.clearing.riders import Owing
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, Owed, obligations
from alliance.exchange.model import Quote
from alliance.exchange.request import ExchangeAtQuote, OfferQuote
from alliance.exchange.reservations import Reserved, Reserving
from alliance.exchange.rules import price_at_issue, quoted
from alliance.exposure.frozen import barred, going
from alliance.exposure.riders import Capped, Within, capped
from alliance.runtime import Runtime
from alliance.stored_value.rules import require_exchangeable
from alliance.subsidies.commands import drawing_exchanged
from domain.base import new_id
from domain.errors import NotFound, Refusal
from domain.ledger.request import Key, Rider
from domain.members.queries import joined_at
from domain.programs.catalogue import Currency, Merchant
from domain.programs.rules import day_bounds, expiry_instant

QUOTE_LIFE = timedelta(minutes=15)


def quote_request(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    key: Key | None,
    as_of: datetime,
    client_id: uuid.UUID | None,
    reserve: bool = False,
    **asked: Any,
) -> OfferQuote:
    """Offer a member `target` points for `source` points: rate and prices hold until it expires.

    It reserves nothing unless it is to `reserve` (A4). Exactly one of `points_out` (at most so many go)
    and `points_in` (at least so many come) is `asked`. Raises InvalidInput, NotFound; the posting refuses with
    NoAgreement, BelowMinimum, and MerchantAtCap where there is no room, or plainly none now.
    """
    offered: tuple[Quote, Within] | None = None
    refusal: Refusal | None = None
    try:
        offered = _offer(runtime, member_id=member_id, as_of=as_of, client_id=client_id, reserve=reserve, **asked)
    except Refusal as refused:
        if not refused.remembered:
            raise
        refusal = refused
    named: dict[str, Any] = {"holder_id": member_id, "key": key, "client_id": client_id}
    riders: tuple[Rider, ...] = ()
    if offered is not None and reserve:
        quote, within = offered
        issuers = _issuers(runtime, quote)
        riders = (*going(issuers, as_of, ("from",)), Reserving(within.merchants, within.lines, quote, as_of))
    return OfferQuote(**named, as_of=as_of, occurred_at=as_of, offered=offered, refusal=refusal, riders=riders)


def _offer(
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    source: str,
    target: str,
    points_out: int | None = None,
    points_in: int | None = None,
    as_of: datetime,
    client_id: uuid.UUID | None,
    reserve: bool,
) -> tuple[Quote, Within]:
    """The quote, and the cap that it must fit under."""
    giving, getting = _currency(runtime, source, "from"), _currency(runtime, target, "to")
    issuers = [runtime.catalogue.merchants_by_id[currency.merchant_id] for currency in (giving, getting)]
    if (refusal := barred(issuers, ("from",))) is not None:
        raise refusal
    version, terms = _terms(runtime, giving, getting, as_of)
    out, into, fee = quoted(terms, out=points_out, into=points_in)
    offered = Quote(
        holder_id=member_id,
        id=new_id(),
        client_id=client_id,
        out_currency=giving.code,
        out_issuer_id=giving.merchant_id,
        in_currency=getting.code,
        in_issuer_id=getting.merchant_id,
        points_out=out,
        points_in=into,
        fee=fee,
        rate=f"{Decimal(terms.rate.numerator) / terms.rate.denominator:f}",
        clearing_value=terms.clearing_value,
        agreement_id=version.agreement_id,
        agreement_version=version.version,
        created_at=as_of,
        expires_at=as_of + QUOTE_LIFE,
        reserves=reserve,
    )
    return offered, Within(_capped(runtime, offered, version), _owed(runtime, offered, version))


async def exchange_request(
    session: AsyncSession,
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    quote_id: uuid.UUID,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    channel: str | None = None,
    dry_run: bool = False,
    taken: Quote | None = None,
) -> ExchangeAtQuote:
    """Exchange at a quote: points out, points in and what the one issuer owes the other, all or nothing.

    The quote is read here unless it is at hand. Raises NotFound, also for another member's quote. The posting refuses
    with QuoteUsed, QuoteExpired, CapExceeded, TooManyExchanges, TooNew, MerchantAtCap, and as any debit.
    """
    taken = taken or await session.get(Quote, (member_id, quote_id))
    if taken is None:
        raise NotFound(what="quote", path=("quote",))
    version = _version(runtime, taken)
    if version is None:  # another process, ahead of this one, made the quote
        await runtime.refresh()
        version = _version(runtime, taken)
    if version is None:
        raise LookupError(f"version {taken.agreement_version} of agreement {taken.agreement_id} is gone")
    getting = runtime.catalogue.currencies[taken.in_currency]
    issuer = runtime.catalogue.merchants_by_id[taken.in_issuer_id]
    terms = version.exchange[taken.out_currency, taken.in_currency]
    owed = _owed(runtime, taken, version)
    within = Within(_capped(runtime, taken, version), owed)
    if taken.reserves:
        within = Reserved(within.merchants, owed, (taken.holder_id, taken.id), None if dry_run else as_of)
    day = (member_id, taken.out_currency, taken.in_currency, *day_bounds(as_of, runtime.catalogue.alliance.timezone))
    return ExchangeAtQuote(
        holder_id=member_id,
        key=key,
        client_id=client_id,
        as_of=as_of,
        occurred_at=as_of,
        dry_run=dry_run,
        riders=(
            *(() if taken.reserves else going(_issuers(runtime, taken), None if dry_run else as_of, ("quote",))),
            *waiting(member_id, terms.wait_days, as_of),
            Owing(owed, None if dry_run else as_of),
            *_drawing(runtime, taken, version),
            *((within,) if within.merchants or taken.reserves else ()),
        ),
        quote=taken,
        cap=terms.daily_cap_per_member,
        most=terms.per_day,
        day=day,
        cap_of_all=terms.daily_cap,
        merchant_id=taken.out_issuer_id,
        channel=channel,
        currency=taken.out_currency,
        issuer_id=taken.out_issuer_id,
        points=taken.points_out,
        into_currency=taken.in_currency,
        into_issuer_id=taken.in_issuer_id,
        into_points=taken.points_in,
        into_price=price_at_issue(taken.exchanged, taken.clearing_value, taken.points_in),
        into_expires_at=await _expiry(session, getting, as_of, issuer, member_id),
        slides=_slides(runtime, (taken.out_currency, taken.in_currency), as_of),
    )


def _slides(runtime: Runtime, codes: Sequence[str], as_of: datetime) -> Slides | None:
    """An exchange is activity in both wallets (R4)."""
    moved: dict[tuple[str, str], datetime] = {}
    for code in codes:
        currency = runtime.catalogue.currencies[code]
        zone = runtime.catalogue.merchants_by_id[currency.merchant_id].timezone
        moved |= slides_of(currency, as_of, zone) or {}
    return moved or None


async def _expiry(
    session: AsyncSession, currency: Currency, as_of: datetime, issuer: Merchant, member_id: uuid.UUID
) -> datetime | None:
    """When points that come in end at the latest. What came in by exchange does not slide (A3 b)."""
    policy = currency.policy_at(as_of).expiry
    joined = await joined_at(session, member_id, issuer.id) if policy.kind == "anniversary" else None
    return expiry_instant(policy, as_of, issuer.timezone, joined)


def _currency(runtime: Runtime, code: str, field: str) -> Currency:
    found = runtime.catalogue.currencies.get(code)
    if found is None:
        raise NotFound(what=f"currency {code[:40]!r}", path=(field,))
    require_exchangeable(found, field)
    return found


def _terms(
    runtime: Runtime, giving: Currency, getting: Currency, moment: datetime
) -> tuple[AgreementVersion, ExchangeTerms]:
    version = runtime.agreements.between(giving.merchant_id, getting.merchant_id, moment)
    terms = version.exchange.get((giving.code, getting.code)) if version is not None else None
    if version is None or terms is None:
        issuer = runtime.catalogue.merchants_by_id[getting.merchant_id]
        raise NoAgreement(merchant=issuer.code, event="exchange", currency=giving.code, path=("to",))
    return version, terms


def _version(runtime: Runtime, taken: Quote) -> AgreementVersion | None:
    """The version that the quote locked, whatever is in force now."""
    pair = runtime.agreements.pairs.get(frozenset((taken.out_issuer_id, taken.in_issuer_id)), ())
    return next((version for version in pair if version.version == taken.agreement_version), None)


def _drawing(runtime: Runtime, taken: Quote, version: AgreementVersion) -> tuple[Rider, ...]:
    """What the points in draw on a subsidy of their issuer, at the prices of the quote's moment."""
    got = taken.exchanged * taken.clearing_value // PRICE_OF_MILLIONTHS
    moment = taken.created_at
    return drawing_exchanged(runtime.agreements, version, taken.in_currency, taken.points_in, got, moment)


def _issuers(runtime: Runtime, taken: Quote) -> list[Merchant]:
    return [runtime.catalogue.merchants_by_id[id_] for id_ in (taken.out_issuer_id, taken.in_issuer_id)]


def _capped(runtime: Runtime, taken: Quote, version: AgreementVersion) -> Capped:
    return capped(runtime.catalogue, "exchange", version, taken.out_issuer_id, taken.out_issuer_id)


def _owed(runtime: Runtime, taken: Quote, version: AgreementVersion) -> tuple[Owed, ...]:
    return obligations(
        "exchange",
        version,
        debtor_id=taken.out_issuer_id,
        creditor_id=taken.in_issuer_id,
        issuer_id=taken.out_issuer_id,
        operator_id=runtime.catalogue.alliance.id,
        currency=taken.out_currency,
        points=taken.exchanged,
        owed=taken.clearing_value // PRICE_OF_MILLIONTHS,
    )
