"""Quotes that were asked to reserve (A4): the issuer's position holds their room from the offer to the exchange.

What one has reserved is let go by the exchange that uses it, or once it has expired and the job comes round to it.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.riders import OPEN_CYCLE, OpenCycle
from alliance.exchange.model import Quote, QuoteReservation
from alliance.exposure.commands import make_room
from alliance.exposure.positions import EXPOSURES, Standing, add, keep_ready, raised
from alliance.exposure.riders import Within, flag
from alliance.settlement.model import CYCLE_LOCK
from domain.base import lock_key
from domain.ledger.request import Books, Effect, Needs

_RESERVATION: Any = QuoteReservation.__table__


class _Reservations:
    """What quotes have reserved, by (holder, quote); nothing of those whose reservation is gone."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], dict[str, int]]:
        rows = await connection.fetch(
            """SELECT holder_id, quote_id, reserves
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, quote_id)
               JOIN quote_reservation USING (holder_id, quote_id)""",
            [holder_id for holder_id, _ in keys],
            [quote_id for _, quote_id in keys],
        )
        return {(row["holder_id"], row["quote_id"]): row["reserves"] for row in rows}


RESERVATIONS = _Reservations()


@dataclass(frozen=True, slots=True)
class Reserving(Within):
    """Rides on a quote: it is refused where an exchange would be, and holds its room."""

    quote: Quote
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """Also who is capped, held as it is until the batch is written."""
        Within.needs(self, needs)
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row. Raises MerchantAtCap."""
        Within.ride(self, books, effect)
        quote, reserves = self.quote, raised(self.lines)
        cycle: OpenCycle = books.other(OPEN_CYCLE, self.as_of)
        keep_ready(effect, reserves, cycle.capped)
        row = {"holder_id": quote.holder_id, "quote_id": quote.id, "expires_at": quote.expires_at}
        effect.rows.append((_RESERVATION, row | {"reserves": reserves}))


@dataclass(frozen=True, slots=True)
class Reserved(Within):
    """Rides on an exchange at a quote that reserved: what it reserved is promised, and goes through (A5).

    Past the cap it is flagged. Without `as_of` it rides on a dry run.
    """

    quote: tuple[uuid.UUID, uuid.UUID]
    as_of: datetime | None

    def needs(self, needs: Needs) -> None:
        """Also what is reserved, and who is capped."""
        Within.needs(self, needs)
        needs.other(RESERVATIONS, self.quote)
        if self.as_of is not None:
            needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises MerchantAtCap where nothing is reserved any more."""
        reserves: Mapping[str, int] | None = books.other(RESERVATIONS, self.quote)
        if reserves is None:
            Within.ride(self, books, effect)
            return
        for merchant_id, _ in self.merchants:
            standing: Standing | None = books.other(EXPOSURES, merchant_id)
            if standing is not None and standing.used > standing.cap and reserves.get(str(merchant_id)):
                flag(effect, merchant_id)
        if self.as_of is not None:
            cycle: OpenCycle = books.other(OPEN_CYCLE, self.as_of)
            keep_ready(effect, reserves, cycle.capped, -1)


_DUE = text("""
    SELECT holder_id, quote_id FROM quote_reservation WHERE expires_at <= :as_of
    ORDER BY expires_at, holder_id, quote_id LIMIT :size""")
_LOCK = text("""
    WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k)
    SELECT count(*) FROM held""")
_GONE = text("""
    WITH gone AS (
        DELETE FROM quote_reservation r
        USING unnest(CAST(:holders AS uuid[]), CAST(:quotes AS uuid[])) AS due (holder_id, quote_id)
        WHERE r.holder_id = due.holder_id AND r.quote_id = due.quote_id
        RETURNING r.*)
    SELECT part.key::uuid AS merchant_id, -sum(part.value::numeric) AS reserved
    FROM gone CROSS JOIN LATERAL jsonb_each_text(gone.reserves) AS part
    WHERE NOT EXISTS (SELECT FROM quote_use u WHERE u.holder_id = gone.holder_id AND u.quote_id = gone.quote_id)
    GROUP BY 1""")


async def let_go(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Let go what at most `size` quotes have reserved that expired by `as_of`, in the caller's transaction.

    Returns how many there were. Under the locks of their holders, so that none is being used meanwhile.
    """
    due = (await session.execute(_DUE, {"as_of": as_of, "size": size})).all()
    if not due:
        return 0
    await session.execute(_LOCK, {"keys": sorted({lock_key(holder_id) for holder_id, _ in due})})
    await session.execute(select(func.pg_advisory_xact_lock_shared(*CYCLE_LOCK)))
    holders, quotes = zip(*due, strict=True)
    freed = await session.execute(_GONE, {"holders": list(holders), "quotes": list(quotes)})
    await add(session, reserved={merchant_id: int(amount) for merchant_id, amount in freed})
    await make_room(session, as_of)
    return len(due)
