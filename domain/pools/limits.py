"""How much of a pool may be spent and put in: decided with the posting, under the pool's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from domain.ledger.past import turned
from domain.ledger.request import Books, Effect, Needs
from domain.pools.errors import PoolLimitExceeded
from domain.pools.model import EACH, LimitPeriod, PoolMoves
from domain.programs.rules import period_bounds


class Cap(NamedTuple):
    """At most so many points; `who` is a member, EACH of them, or (the pool's id) all together."""

    moves: str
    per: str
    who: UUID
    points: int


class _Limits:
    """The limits of pools."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[UUID]) -> dict[UUID, list[Cap]]:
        rows = await connection.fetch(
            """SELECT holder_id, moves, per, member_id, points FROM pool_limit
               WHERE holder_id = ANY($1) ORDER BY moves, per, member_id""",
            keys,
        )
        found: dict[UUID, list[Cap]] = {}
        for holder_id, *cap in rows:
            found.setdefault(holder_id, []).append(Cap(*cap))
        return found


LIMITS = _Limits()


class Use(NamedTuple):
    """What `who` (a member; the pool itself for all) spent of a pool, or put in, from an instant to before another."""

    pool_id: UUID
    who: UUID
    moves: str
    first: datetime
    before: datetime


# What came back of a redemption is not spent; what a hold sets aside is, until it ends.
_USED = """
    SELECT asked.n, sum(used.points)::bigint AS points
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
         WITH ORDINALITY AS asked (pool_id, who, moves, first, before, n)
    CROSS JOIN LATERAL (
        SELECT e.amount AS points
        FROM entry e JOIN operation o ON o.holder_id = e.counter_holder_id AND o.id = e.operation_id
        WHERE asked.moves = 'CONTRIBUTE' AND e.holder_id = asked.pool_id AND e.counter_account = 'POINTS'
          AND e.amount > 0 AND asked.who IN (e.counter_holder_id, asked.pool_id)
          AND o.kind = 'POOL_IN' AND o.as_of >= asked.first AND o.as_of < asked.before
        UNION ALL
        SELECT -e.amount
        FROM entry e JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
        WHERE asked.moves = 'SPEND' AND e.holder_id = asked.pool_id AND e.counter_account = 'POINTS'
          AND e.amount < 0 AND asked.who IN (e.counter_holder_id, asked.pool_id)
          AND o.kind = 'POOL_OUT' AND o.as_of >= asked.first AND o.as_of < asked.before
        UNION ALL
        SELECT -e.amount
        FROM pool_spend s JOIN operation o ON o.holder_id = s.holder_id AND o.id = s.operation_id
        JOIN LATERAL (SELECT amount FROM entry WHERE holder_id = o.holder_id AND operation_id = o.id
                      UNION ALL
                      SELECT b.amount
                      FROM operation r JOIN entry b ON b.holder_id = r.holder_id AND b.operation_id = r.id
                      WHERE r.holder_id = o.holder_id AND r.reverses = o.id) AS e ON true
        WHERE asked.moves = 'SPEND' AND s.holder_id = asked.pool_id AND asked.who IN (s.member_id, asked.pool_id)
          AND o.as_of >= asked.first AND o.as_of < asked.before
        UNION ALL
        SELECT h.points
        FROM pool_spend s JOIN hold h ON h.holder_id = s.holder_id AND h.id = s.operation_id
        WHERE asked.moves = 'SPEND' AND s.holder_id = asked.pool_id AND asked.who IN (s.member_id, asked.pool_id)
          AND h.status = 'OPEN' AND h.held_at >= asked.first AND h.held_at < asked.before
    ) AS used
    WHERE EXISTS (SELECT FROM pool_limit l WHERE l.holder_id = asked.pool_id)
    GROUP BY asked.n"""


class _Used:
    """Points by `Use`; nothing of pools without limits."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Use]) -> dict[Use, int]:
        rows = await connection.fetch(_USED, *turned(keys))
        return {keys[row["n"] - 1]: row["points"] for row in rows}


USED = _Used()


@dataclass(frozen=True, slots=True)
class WithinLimits:
    """Lets a posting about a pool through unless a limit of it is passed; a day is one of the merchant's `zone`."""

    pool_id: UUID
    member_id: UUID
    moves: PoolMoves
    as_of: datetime
    zone: ZoneInfo

    def _use(self, per: str, who: UUID) -> Use:
        return Use(self.pool_id, who, self.moves.value, *period_bounds(per.lower(), self.as_of, self.zone))

    def _uses(self) -> list[Use]:
        periods = (LimitPeriod.DAY, LimitPeriod.WEEK, LimitPeriod.MONTH)
        return [self._use(per.value, who) for per in periods for who in (self.member_id, self.pool_id)]

    def needs(self, needs: Needs) -> None:
        """The limits, and what counts towards them."""
        needs.other(LIMITS, self.pool_id)
        for use in self._uses():
            needs.other(USED, use)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises PoolLimitExceeded; keeps what the next request of the batch is to count: no rider after it refuses."""
        caps: list[Cap] = books.other(LIMITS, self.pool_id) or []
        for cap in caps:
            if cap.moves == self.moves and self._is_meant(cap, caps):
                self._require(books, cap, effect.points)
        if caps:
            for use in self._uses():
                books.others[USED][use] = books.others[USED].get(use, 0) + effect.points

    def _is_meant(self, cap: Cap, caps: Sequence[Cap]) -> bool:
        """A limit of the member's own stands instead of that of each."""
        if cap.who in (self.member_id, self.pool_id):
            return True
        own = (cap.moves, cap.per, self.member_id)
        return cap.who == EACH and all((one.moves, one.per, one.who) != own for one in caps)

    def _require(self, books: Books, cap: Cap, points: int) -> None:
        used = 0
        if cap.per != LimitPeriod.OPERATION:
            whose = self.pool_id if cap.who == self.pool_id else self.member_id
            used = books.other(USED, self._use(cap.per, whose)) or 0
        if used + points > cap.points:
            raise PoolLimitExceeded(moves=cap.moves, per=cap.per, cap=cap.points, used=used, path=("points",))
