"""A quote is used once, under its holder's lock, with the exchange that uses it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from alliance.exchange.errors import CapExceeded, QuoteExpired, QuoteUsed
from alliance.exchange.model import Quote, QuoteUse
from domain.ledger.request import Books, Effect, Needs

_QUOTE_USE: Any = QuoteUse.__table__

Day = tuple[uuid.UUID, str, str, datetime, datetime]
"""A holder's exchanges from one currency to another, from an instant until before another."""


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
    """Points that went out, by `Day`."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Day]) -> dict[Day, int]:
        rows = await connection.fetch(
            """SELECT asked.n, sum(points_out)::bigint AS points
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                    WITH ORDINALITY AS asked (holder_id, out_currency, in_currency, first, before, n)
               JOIN quote_use USING (holder_id, out_currency, in_currency)
               WHERE used_at >= first AND used_at < before
               GROUP BY asked.n""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: row["points"] for row in rows}


QUOTE_USES = _QuoteUses()
EXCHANGED_IN_DAY = _ExchangedInDay()


def day_bounds(as_of: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day of `as_of` in `zone`: its first instant and the first after it."""
    today = as_of.astimezone(zone).date()
    return datetime.combine(today, time(), zone), datetime.combine(today + timedelta(days=1), time(), zone)


@dataclass(frozen=True, slots=True)
class UsingQuote:
    """Rides on an exchange: refuses an expired or used quote and what goes past the day's cap, then marks it used."""

    quote: Quote
    as_of: datetime
    cap: int | None
    day: Day

    @property
    def _key(self) -> tuple[uuid.UUID, uuid.UUID]:
        return (self.quote.holder_id, self.quote.id)

    def needs(self, needs: Needs) -> None:
        """Whether the quote was used, and what was exchanged today where there is a cap."""
        needs.other(QUOTE_USES, self._key)
        if self.cap is not None:
            needs.other(EXCHANGED_IN_DAY, self.day)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row. Raises QuoteUsed, QuoteExpired, CapExceeded."""
        quote, operation_id = self.quote, effect.operation["id"]
        if (used := books.other(QUOTE_USES, self._key)) is not None:
            raise QuoteUsed(operation=str(used), path=("quote",))
        if self.as_of >= quote.expires_at:
            raise QuoteExpired(expired=quote.expires_at.isoformat(), path=("quote",))
        if self.cap is not None:
            today = books.other(EXCHANGED_IN_DAY, self.day) or 0
            if today + quote.points_out > self.cap:
                raise CapExceeded(cap=self.cap, used=today, path=("quote",))
            books.others[EXCHANGED_IN_DAY][self.day] = today + quote.points_out
        books.others[QUOTE_USES][self._key] = operation_id
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
