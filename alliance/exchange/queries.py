"""Reading quotes, and what may be exchanged for what."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import ExchangeTerms
from alliance.exchange.model import Quote, QuoteUse
from alliance.runtime import Runtime
from domain.programs.rules import day_bounds

Route = tuple[uuid.UUID, str, str]


class Exchanged(NamedTuple):
    """Points that went out, in how many exchanges."""

    points: int
    times: int


async def quotes(
    session: AsyncSession, keys: Collection[tuple[uuid.UUID, uuid.UUID]]
) -> dict[tuple[uuid.UUID, uuid.UUID], Quote]:
    """Quotes by (holder, id); one that is not there is left out."""
    rows = await session.scalars(select(Quote).where(tuple_(Quote.holder_id, Quote.id).in_(list(keys))))
    return {(quote.holder_id, quote.id): quote for quote in rows}


def exchange_terms(runtime: Runtime, source: str, moment: datetime) -> list[ExchangeTerms]:
    """What `source` may be exchanged for at `moment`, by code; empty for an unknown currency."""
    currency = runtime.catalogue.currencies.get(source)
    if currency is None:
        return []
    found = []
    for other in runtime.catalogue.merchants.values():
        version = runtime.agreements.between(currency.merchant_id, other.id, moment)
        if version is not None:
            found += [terms for terms in version.exchange.values() if terms.source == source]
    return sorted(found, key=lambda terms: terms.target)


async def exchanged_today(
    session: AsyncSession, routes: Collection[Route], as_of: datetime, zone: ZoneInfo
) -> dict[Route, Exchanged]:
    """What went out on the day of `as_of` in the alliance's zone, by (holder, from, to); 0 is left out."""
    first, before = day_bounds(as_of, zone)
    route = (QuoteUse.holder_id, QuoteUse.out_currency, QuoteUse.in_currency)
    rows = await session.execute(
        select(*route, func.sum(QuoteUse.points_out), func.count())
        .where(tuple_(*route).in_(list(routes)), QuoteUse.used_at >= first, QuoteUse.used_at < before)
        .group_by(*route)
    )
    return {(holder, source, target): Exchanged(int(points), times) for holder, source, target, points, times in rows}
