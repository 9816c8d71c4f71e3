"""How a subsidy takes part in a posting: an account whose floor is its budget.

What draws on it is decided under the lock of its agreement, one after the other, whichever process has it; what gives
back only adds.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from alliance.subsidies.errors import SubsidyExhausted
from alliance.subsidies.model import SubsidyDraw
from alliance.subsidies.rules import given_back
from domain.ledger.model import AccountKind
from domain.ledger.request import Books, Effect, Needs
from domain.ledger.store import Fixed

_DRAW: Any = SubsidyDraw.__table__

SubsidyKey = tuple[uuid.UUID, int, str]
"""An agreement's id, the number of a version, and the currency whose issuer accepts a subsidy there."""

Place = tuple[uuid.UUID, uuid.UUID]
"""An operation, as (holder, id)."""


@dataclass(slots=True)
class Used:
    """What is drawn on a subsidy, as the engine has it while it decides a batch."""

    amount: int = 0

    def add(self, amount: int) -> None:
        """Take in what was decided."""
        self.amount += amount


class _Subsidies:
    """What is drawn, by subsidy: nothing, of one that nobody drew on."""

    shared_lock: tuple[int, int] | None = None
    part = Fixed(
        """INSERT INTO subsidy_use AS u (agreement_id, agreement_version, currency, used)
           SELECT * FROM unnest({0}::uuid[], {1}::int[], {2}::text[], {3}::numeric[]) ORDER BY 1, 2, 3
           ON CONFLICT (agreement_id, agreement_version, currency) DO UPDATE SET used = u.used + excluded.used""",
        ("agreement_id", "agreement_version", "currency", "used"),
    )

    async def load(self, connection: asyncpg.Connection, keys: Sequence[SubsidyKey]) -> dict[SubsidyKey, Used]:
        rows = await connection.fetch(
            """SELECT u.* FROM unnest($1::uuid[], $2::int[], $3::text[])
                               AS asked (agreement_id, agreement_version, currency)
               JOIN subsidy_use u USING (agreement_id, agreement_version, currency)""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found = {(row["agreement_id"], row["agreement_version"], row["currency"]): int(row["used"]) for row in rows}
        return {key: Used(found.get(key, 0)) for key in keys}


@dataclass(slots=True)
class Drawn:
    """What an operation drew for its points, of which so many were taken `back`."""

    subsidy: SubsidyKey
    points: int
    amount: int
    back: int


class _Draws:
    """What operations drew, by operation; nothing for those that drew nothing."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Place]) -> dict[Place, list[Drawn]]:
        rows = await connection.fetch(
            """SELECT d.holder_id, d.operation_id, d.agreement_id, d.agreement_version, d.currency, d.points, d.amount,
                      coalesce((SELECT -sum(b.points) FROM subsidy_draw b
                                WHERE b.holder_id = d.holder_id AND b.reverses = d.operation_id
                                  AND b.currency = d.currency), 0)::bigint AS back
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN subsidy_draw d USING (holder_id, operation_id) WHERE d.reverses IS NULL
               ORDER BY d.holder_id, d.operation_id, d.seq""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found: dict[Place, list[Drawn]] = {}
        for holder_id, operation_id, agreement_id, version, currency, points, amount, back in rows:
            drawn = Drawn((agreement_id, version, currency), points, amount, back)
            found.setdefault((holder_id, operation_id), []).append(drawn)
        return found


SUBSIDIES = _Subsidies()
DRAWS = _Draws()


@dataclass(frozen=True, slots=True)
class Drawing:
    """Rides on what issues points for less than their issuer pays for them: `amount` is what so many draw.

    They are the operation's points, unless it says how many.
    """

    subsidy: SubsidyKey
    budget: int
    amount: Callable[[int], int]
    points: int | None = None

    def needs(self, needs: Needs) -> None:
        """What is drawn, under the lock of the agreement."""
        needs.holders.add(self.subsidy[0])
        needs.other(SUBSIDIES, self.subsidy)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row. Raises SubsidyExhausted."""
        points = effect.points if self.points is None else self.points
        if (amount := self.amount(points)) <= 0:
            return
        used: Used = books.other(SUBSIDIES, self.subsidy)
        agreement_id, version, currency = self.subsidy
        if used.amount + amount > self.budget:
            raise SubsidyExhausted(currency=currency, agreement=str(agreement_id), version=version)
        _draw(effect, self.subsidy, points, amount)


@dataclass(frozen=True, slots=True)
class DrawingBack:
    """Rides on a reversal: gives back what the points that are recovered had drawn."""

    operation: Place

    def needs(self, needs: Needs) -> None:
        """What it drew."""
        needs.other(DRAWS, self.operation)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row for each currency; refuses nothing."""
        for currency in dict.fromkeys(drawn.subsidy[2] for drawn in drawn_by(books, self.operation)):
            owed = sum(debt.left for debt in effect.owes if debt.currency == currency)
            moved = effect.moved(currency) + effect.moved(currency, AccountKind.PENDING)
            give_back(books, effect, self.operation, currency, moved - owed)


def drawn_by(books: Books, operation: Place) -> Iterable[Drawn]:
    """What an operation drew, if anything."""
    found: list[Drawn] | None = books.other(DRAWS, operation)
    return found or ()


def give_back(books: Books, effect: Effect, operation: Place, currency: str, points: int) -> None:
    """So many points of an operation were recovered: what they had drawn is there again."""
    for drawn in drawn_by(books, operation):
        now = min(drawn.points, drawn.back + points)
        if drawn.subsidy[2] == currency and now > drawn.back:
            amount = given_back(drawn.amount, drawn.back, now, drawn.points)
            _draw(effect, drawn.subsidy, drawn.back - now, -amount, operation[1])
            drawn.back = now


def _draw(effect: Effect, subsidy: SubsidyKey, points: int, amount: int, reverses: uuid.UUID | None = None) -> None:
    operation, (agreement_id, version, currency) = effect.operation, subsidy
    row = {
        "holder_id": operation["holder_id"],
        "operation_id": operation["id"],
        "seq": sum(table is _DRAW for table, _ in effect.rows),
        "agreement_id": agreement_id,
        "agreement_version": version,
        "currency": currency,
        "points": points,
        "amount": amount,
        "reverses": reverses,
    }
    effect.rows.append((_DRAW, row))
    effect.adds.append((SUBSIDIES, subsidy, (amount,)))
