"""Reading quotes, and what may be exchanged for what."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from alliance.agreements.book import ExchangeTerms
from alliance.exchange.model import Quote, QuoteUse
from alliance.runtime import Runtime
from domain.programs.rules import day_bounds

Route = tuple[uuid.UUID, str, str]


class Exchanged(NamedTuple):
    """Points that went out, in how many exchanges."""

    points: int
    times: int


async def read_quotes(connection: AsyncConnection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> list[Quote | None]:
    """Quotes by (holder, id), in that order; None for one that is not there."""
    values = {"holders": [holder_id for holder_id, _ in keys], "ids": [id_ for _, id_ in keys]}
    found = {(row.holder_id, row.id): Quote(**row._mapping) for row in await connection.execute(_BY_KEYS, values)}
    return [found.get(key) for key in keys]


_BY_KEYS = text("""
    SELECT quote.* FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS asked (holder_id, id)
    JOIN quote USING (holder_id, id)
""")


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


async def exchanged_by_all(
    session: AsyncSession, routes: Collection[tuple[str, str]], as_of: datetime, zone: ZoneInfo
) -> dict[tuple[str, str], int]:
    """The points of all members that went out on the day of `as_of`, by (from, to); 0 is left out."""
    first, before = day_bounds(as_of, zone)
    route = (QuoteUse.out_currency, QuoteUse.in_currency)
    rows = await session.execute(
        select(*route, func.sum(QuoteUse.points_out))
        .where(tuple_(*route).in_(list(routes)), QuoteUse.used_at >= first, QuoteUse.used_at < before)
        .group_by(*route)
    )
    return {(source, target): int(points) for source, target, points in rows}
