"""Quotes and exchanges, and what may be exchanged for what."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from alliance.agreements.book import ExchangeTerms
from alliance.clearing.errors import TooNew
from alliance.exchange import commands, queries
from alliance.exchange.errors import CapExceeded, TooManyExchanges
from alliance.exchange.model import Quote
from alliance.exchange.obstacles import obstacles
from domain.errors import NotAllowed, NotFound
from domain.ledger.errors import InsufficientPoints, MemberNotActive
from domain.ledger.keys import remembered
from domain.ledger.queries import WalletFigures
from domain.ledger.request import Key, Posted
from domain.members.model import MemberStatus
from domain.programs.catalogue import Merchant
from resolvers import ids
from resolvers.acting import member_of
from resolvers.codes import using
from resolvers.context import Context
from resolvers.guarding import barred, from_device
from resolvers.reach import sees_currency
from resolvers.sent import Sent, key_of
from resolvers.wallets import one


@dataclass(frozen=True, slots=True)
class Option:
    """What a member may exchange points for; `remaining` is what is left of today's caps, None without one.

    `changes_on` is when the terms end; `blocked_by` are the codes of what would refuse even the smallest exchange.
    """

    terms: ExchangeTerms
    remaining: int | None
    changes_on: datetime | None
    blocked_by: tuple[str, ...]

    @property
    def rate(self) -> str:
        """Points in for a point out, a decimal: rates are written as decimals, so that this is exact."""
        return f"{Decimal(self.terms.rate.numerator) / self.terms.rate.denominator:f}"


async def quote(context: Context, sent: Sent) -> Quote:
    """Offer a member a rate that holds for a while. Raises a Refusal."""
    key = key_of(context, "quoteExchange", sent)
    member_id = await member_of(context, _acting(context, sent), sent["member"])

    request = commands.quote_request(
        context.runtime,
        member_id=member_id,
        source=sent["from"],
        target=sent["to"],
        points_out=sent.get("pointsOut"),
        points_in=sent.get("pointsIn"),
        key=key,
        as_of=context.as_of,
        client_id=context.signed_in.client_id,
        reserve=bool(sent.get("reserve")),
    )
    using(context, request, sent)
    posted = await context.runtime.engine.post(request)
    if request.offered is not None and not posted.duplicate:
        return request.offered[0]
    found = await context.house.quotes.load((member_id, UUID(await _offered_before(context, key, posted))))
    if found is None:
        raise NotFound(what="quote")
    return found


async def _offered_before(context: Context, key: Key, posted: Posted) -> str:
    """The id of the quote that a key was answered with; once it was kept another way."""
    if "quote" in posted.data:
        return str(posted.data["quote"])
    async with context.runtime.database.reader() as session:
        return str((await remembered(session, key) or {})["quote"])


def _acting(context: Context, sent: Sent) -> Merchant:
    """The merchant at which a quote is asked for: a merchant's client must issue one side of it. Raises a Refusal."""
    catalogue = context.runtime.catalogue
    sides = []
    for field in ("from", "to"):
        currency = catalogue.currencies.get(sent[field])
        if currency is None:
            raise NotFound(what=f"currency {sent[field][:40]!r}", path=(field,))
        sides.append(catalogue.merchants_by_id[currency.merchant_id])
    own = context.own_merchant_id
    if own is None:
        return sides[0]
    for merchant in sides:
        if merchant.id == own:
            return merchant
    raise NotAllowed(reason="this client's merchant issues neither side", path=("from",))


async def exchange(context: Context, sent: Sent) -> Posted:
    """Exchange at a quote. Raises a Refusal, or Overloaded."""
    key = key_of(context, "exchangePoints", sent)
    try:
        holder_id, quote_id = ids.decode_as("Quote", sent["quote"], 2)
    except NotFound as refusal:
        raise refusal.at("quote") from None
    taken = await context.house.quotes.load((holder_id, quote_id))
    viewer = context.signed_in
    if taken is None or not _sees(context, taken):
        raise NotFound(what="quote", path=("quote",))
    async with context.runtime.database.reader() as session:
        request = await commands.exchange_request(
            session,
            context.runtime,
            member_id=holder_id,
            quote_id=quote_id,
            as_of=context.as_of,
            key=key,
            client_id=viewer.client_id,
            dry_run=bool(sent.get("dryRun")),
            taken=taken,
        )
    from_device(context, request, holder_id)
    return await context.runtime.engine.post(request)


def _sees(context: Context, taken: Quote) -> bool:
    """A member's own quote; a merchant's, that its client asked for."""
    viewer = context.signed_in
    if viewer.kind == "member":
        return viewer.member_id == taken.holder_id
    return viewer.kind == "operator" or taken.client_id == viewer.client_id


async def options(context: Context, member_id: UUID, source: str) -> list[Option]:
    """What `source` points may be exchanged for as of now; a merchant sees what has its own points on a side."""
    catalogue, viewer = context.runtime.catalogue, context.signed_in
    found = [
        terms
        for terms in queries.exchange_terms(context.runtime, source, context.as_of)
        if sees_currency(viewer, catalogue, source) or sees_currency(viewer, catalogue, terms.target)
    ]
    limited = [terms for terms in found if terms.daily_cap_per_member is not None or terms.per_day is not None]
    capped = [(member_id, terms.source, terms.target) for terms in limited]
    used: dict[queries.Route, queries.Exchanged] = {}
    if capped:
        async with context.runtime.database.reader() as session:
            used = await queries.exchanged_today(session, capped, context.as_of, catalogue.alliance.timezone)
    by_all: dict[tuple[str, str], int] = {}
    if of_all := [(terms.source, terms.target) for terms in found if terms.daily_cap is not None]:
        async with context.runtime.database.reader() as session:
            by_all = await queries.exchanged_by_all(session, of_all, context.as_of, catalogue.alliance.timezone)
    member = await context.loaders.members.load(member_id)
    wallet = await one(context, member_id, source)
    mine = () if member is None or member.status == MemberStatus.ACTIVE else (MemberNotActive.code,)
    guarded = await barred(context, member_id, source)
    async with context.runtime.database.reader() as session:
        others = await obstacles(session, context.runtime, found, context.as_of)
    joined = None if member is None else member.joined_at
    made = []
    for terms, codes in zip(found, others, strict=True):
        new = joined is not None and joined + timedelta(days=terms.wait_days) > context.as_of
        today = used.get((member_id, terms.source, terms.target), queries.Exchanged(0, 0))
        left = None if terms.daily_cap is None else terms.daily_cap - by_all.get((terms.source, terms.target), 0)
        made.append(
            _option(context, terms, today, left, wallet, (*mine, *guarded, *((TooNew.code,) if new else ()), *codes))
        )
    return made


def _option(
    context: Context,
    terms: ExchangeTerms,
    today: queries.Exchanged,
    left: int | None,
    wallet: WalletFigures | None,
    blocked: tuple[str, ...],
) -> Option:
    cap = terms.daily_cap_per_member
    rests = [rest for rest in (None if cap is None else cap - today.points, left) if rest is not None]
    remaining = max(0, min(rests)) if rests else None
    if terms.per_day is not None and today.times >= terms.per_day:
        blocked += (TooManyExchanges.code,)
    least = terms.block + terms.fee(terms.block)
    if remaining is not None and remaining < least:
        blocked += (CapExceeded.code,)
    if wallet is not None and wallet.available < least:
        blocked += (InsufficientPoints.code,)
    currencies = context.runtime.catalogue.currencies
    sides = currencies[terms.source].merchant_id, currencies[terms.target].merchant_id
    version = context.runtime.agreements.between(*sides, context.as_of)
    return Option(terms, remaining, None if version is None else version.valid_to, blocked)
