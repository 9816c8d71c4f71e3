"""An exchange at a quote, as a request for the posting engine: the quote is used once, under its holder's lock."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from alliance.exchange.errors import CapExceeded, QuoteExpired, QuoteUsed, TooManyExchanges
from alliance.exchange.model import Quote, QuoteUse
from alliance.exposure.positions import EXPOSURES
from alliance.exposure.riders import Within
from domain.errors import Refusal
from domain.ledger.commands import Exchange
from domain.ledger.request import Books, Effect, Needs, Request

_QUOTE: Any = Quote.__table__
_COLUMNS = tuple(column.name for column in _QUOTE.columns)
_QUOTE_USE: Any = QuoteUse.__table__

Day = tuple[uuid.UUID, str, str, datetime, datetime]
"""A holder's exchanges from one currency to another, from an instant until before another."""

DayOfAll = tuple[str, str, datetime, datetime]
"""Everybody's."""


class _QuoteUses:
    """By which operation a quote was used, by (holder, quote)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
        rows = await connection.fetch(
            """SELECT holder_id, quote_id, operation_id
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, quote_id)
               JOIN quote_use USING (holder_id, quote_id)""",
            [holder_id for holder_id, _ in keys],
            [quote_id for _, quote_id in keys],
        )
        return {(row["holder_id"], row["quote_id"]): row["operation_id"] for row in rows}


class _ExchangedInDay:
    """How many exchanges there were, and the points that went out, by `Day`."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Day]) -> dict[Day, tuple[int, int]]:
        rows = await connection.fetch(
            """SELECT asked.n, count(*) AS times, sum(points_out)::bigint AS points
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                    WITH ORDINALITY AS asked (holder_id, out_currency, in_currency, first, before, n)
               JOIN quote_use USING (holder_id, out_currency, in_currency)
               WHERE used_at >= first AND used_at < before
               GROUP BY asked.n""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: (row["times"], row["points"]) for row in rows}


class _ExchangedByAll:
    """The points of all members that went out, by `DayOfAll`."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[DayOfAll]) -> dict[DayOfAll, int]:
        rows = await connection.fetch(
            """SELECT asked.n, used.points
               FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
                    WITH ORDINALITY AS asked (out_currency, in_currency, first, before, n)
               CROSS JOIN LATERAL (
                 SELECT sum(points_out)::bigint AS points FROM quote_use u
                 WHERE u.out_currency = asked.out_currency AND u.in_currency = asked.in_currency
                   AND u.used_at >= first AND u.used_at < before) AS used""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: row["points"] or 0 for row in rows}


QUOTE_USES = _QuoteUses()
EXCHANGED_IN_DAY = _ExchangedInDay()
EXCHANGED_BY_ALL = _ExchangedByAll()


@dataclass(slots=True, kw_only=True)
class ExchangeAtQuote(Exchange):
    """An exchange that uses up its quote.

    `cap` is the most points out, and `most` the number of exchanges, that a member may make in `day`; `cap_of_all` the
    most points out of all members, who then wait for each other at the issuer of these points.
    """

    quote: Quote
    cap: int | None
    most: int | None
    day: Day
    cap_of_all: int | None = None

    @property
    def _day_of_all(self) -> DayOfAll:
        return self.day[1:]

    @property
    def _identity(self) -> tuple[uuid.UUID, uuid.UUID]:
        return (self.quote.holder_id, self.quote.id)

    def needs(self, needs: Needs) -> None:
        """Also whether the quote was used, and what was exchanged today where there is a cap."""
        Exchange.needs(self, needs)
        needs.other(QUOTE_USES, self._identity)
        if self.cap is not None or self.most is not None:
            needs.other(EXCHANGED_IN_DAY, self.day)
        if self.cap_of_all is not None:
            needs.holders.add(self.issuer_id)
            needs.other(EXCHANGED_BY_ALL, self._day_of_all)

    def decide(self, books: Books) -> Effect:
        """Also one row for the use.

        Raises QuoteUsed, QuoteExpired, CapExceeded, TooManyExchanges, and what an exchange raises.
        """
        books.require_active(self.holder_id)
        quote = self.quote
        if (used := books.other(QUOTE_USES, self._identity)) is not None:
            raise QuoteUsed(operation=str(used), path=("quote",))
        if self.as_of >= quote.expires_at:
            raise QuoteExpired(expired=quote.expires_at.isoformat(), path=("quote",))
        times, today = books.other(EXCHANGED_IN_DAY, self.day) or (0, 0)
        if self.most is not None and times >= self.most:
            raise TooManyExchanges(cap=self.most, used=times, path=("quote",))
        if self.cap is not None and today + self.points > self.cap:
            raise CapExceeded(cap=self.cap, used=today, path=("quote",))
        by_all: int = books.other(EXCHANGED_BY_ALL, self._day_of_all) or 0
        if self.cap_of_all is not None and by_all + self.points > self.cap_of_all:
            raise CapExceeded(cap=self.cap_of_all, used=by_all, path=("quote",))
        effect = Exchange.decide(self, books)
        operation_id = effect.operation["id"]
        books.others[QUOTE_USES][self._identity] = operation_id
        if self.cap is not None or self.most is not None:
            books.others[EXCHANGED_IN_DAY][self.day] = (times + 1, today + self.points)
        if self.cap_of_all is not None:
            books.others[EXCHANGED_BY_ALL][self._day_of_all] = by_all + self.points
        row = {
            "holder_id": quote.holder_id,
            "quote_id": quote.id,
            "operation_id": operation_id,
            "out_currency": quote.out_currency,
            "in_currency": quote.in_currency,
            "points_out": quote.points_out,
            "used_at": self.as_of,
        }
        effect.rows.append((_QUOTE_USE, row))
        return effect


@dataclass(slots=True, kw_only=True)
class OfferQuote(Request):
    """Write a quote down, in turn with what else is posted for its member. Nothing is posted.

    `offered` comes with the cap that it must fit under as of now; without it, there is a `refusal`. One that reserves
    has a rider for it.
    """

    offered: tuple[Quote, Within] | None
    refusal: Refusal | None = None

    def needs(self, needs: Needs) -> None:
        """What guards the member; where those stand who are capped, as others leave them where nothing is reserved."""
        needs.members.add(self.holder_id)
        for merchant_id, _ in self.offered[1].merchants if self.offered is not None else ():
            needs.other(EXPOSURES, merchant_id)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """One row. Raises its refusal, what guards the member's points, MerchantAtCap."""
        if self.offered is None:
            raise self.refusal or RuntimeError("neither a quote nor a refusal")
        quote, within = self.offered
        books.require_unbarred(self.holder_id, quote.out_currency)
        if not self.riders:
            within.require_room(books, within.lines)
        row = {name: getattr(quote, name) for name in _COLUMNS}
        operation = {"holder_id": quote.holder_id, "id": quote.id, "kind": "QUOTE", "decisions": None}
        effect = Effect(operation=operation, points=quote.points_out, booked=False, data={"quote": str(quote.id)})
        effect.rows.append((_QUOTE, row))
        for rider in self.riders:
            rider.ride(books, effect)
        return effect
