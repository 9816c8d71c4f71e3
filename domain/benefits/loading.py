"""What takes part in deciding about rights: rights with their bookings, limits of their kinds, what was done."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg

from domain.benefits.model import ENDS
from domain.benefits.rules import BookingState, Price, RightState
from domain.ledger.aliases import all_of
from domain.ledger.parts import Part
from domain.ledger.past import turned
from domain.ledger.store import Fixed
from domain.programs.benefits import Benefit, benefit

Place = tuple[uuid.UUID, uuid.UUID]
"""A holder, and what lies under them: a right, a booking, an operation."""


class _Rights:
    """Rights by (holder, id), with their bookings; a batch adds to what is left of them."""

    shared_lock: tuple[int, int] | None = None
    part: Part = Fixed(
        """UPDATE member_right r SET remaining = r.remaining + more.remaining, booked = r.booked + more.booked,
                                     cancelled = r.cancelled + more.cancelled, expired = r.expired + more.expired
           FROM unnest({0}::uuid[], {1}::uuid[], {2}::bigint[], {3}::bigint[], {4}::bigint[], {5}::bigint[])
                AS more (holder_id, id, remaining, booked, cancelled, expired)
           WHERE r.holder_id = more.holder_id AND r.id = more.id""",
        ("holder_id", "id", "remaining", "booked", "cancelled", "expired"),
    )

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Place]) -> dict[Place, RightState]:
        found: dict[Place, RightState] = {}
        for row in await connection.fetch(
            """SELECT r.* FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id)
               JOIN member_right r USING (holder_id, id)""",
            *turned(keys),
        ):
            found[row["holder_id"], row["id"]] = _right(row)
        for row in await connection.fetch(
            """SELECT b.* FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, right_id)
               JOIN right_booking b USING (holder_id, right_id) ORDER BY b.id""",
            *turned(keys),
        ):
            state = BookingState.of(dict(row))
            state.row = None
            state.add(*(row[name] for name in ENDS))
            found[row["holder_id"], row["right_id"]].bookings.append(state)
        return found


def _right(row: asyncpg.Record) -> RightState:
    same = "holder_id id grantor_id kind currency quantity valid_from expires_at cost own_cost stocked code_hash"
    same += " remaining booked cancelled expired"
    return RightState(
        at=frozenset(map(uuid.UUID, row["at"])),
        prices=tuple(map(Price.from_json, row["prices"])),
        **{name: row[name] for name in same.split()},
    )


class _Bookings:
    """Bookings by (holder, id), as they end. Deciding finds them with their right."""

    shared_lock: tuple[int, int] | None = None
    part: Part = Fixed(
        """UPDATE right_booking b SET used = more.used, cancelled = more.cancelled, missed = more.missed,
                                      lapsed = more.lapsed
           FROM unnest({0}::uuid[], {1}::uuid[], {2}::bigint[], {3}::bigint[], {4}::bigint[], {5}::bigint[])
                AS more (holder_id, id, used, cancelled, missed, lapsed)
           WHERE b.holder_id = more.holder_id AND b.id = more.id""",
        ("holder_id", "id", "used", "cancelled", "missed", "lapsed"),
    )

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Place]) -> dict[Place, BookingState]:
        return {}


@dataclass(slots=True)
class Given:
    """How many uses of a kind a member has had, but for those that went unused."""

    uses: int = 0


class _GivenTo:
    """What members have had of a kind, by (holder, what its uses are counted in)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, str]]
    ) -> dict[tuple[uuid.UUID, str], Given]:
        rows = await connection.fetch(
            f"""SELECT asked.holder_id, currency, sum(quantity - cancelled - expired)::bigint AS uses
                FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
                JOIN member_right r USING (currency) WHERE r.holder_id = {all_of("asked.holder_id")}
                GROUP BY 1, 2""",  # noqa: S608
            *turned(keys),
        )
        return {key: Given() for key in keys} | {(row[0], row[1]): Given(row["uses"]) for row in rows}


class _Kinds:
    """Kinds of rights by (merchant, code), as the alliance file has them at this moment: their limits decide."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, str]]
    ) -> dict[tuple[uuid.UUID, str], Benefit]:
        rows = await connection.fetch(
            """SELECT merchant_id, code, definition FROM unnest($1::uuid[], $2::text[]) AS asked (merchant_id, code)
               JOIN benefit USING (merchant_id, code)""",
            *turned(keys),
        )
        return {(row[0], row[1]): benefit(row["definition"] | {"code": row[1]}, row[0]) for row in rows}


class Move(NamedTuple):
    """What an operation did to a right: see RightMove."""

    right_id: uuid.UUID
    amount: int
    cost: int
    booking_id: uuid.UUID | None


class _Moves:
    """What operations did to rights, by (holder, operation)."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Place]) -> dict[Place, Move]:
        rows = await connection.fetch(
            """SELECT m.holder_id, m.operation_id, m.right_id, m.amount, m.cost, m.booking_id
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN right_move m USING (holder_id, operation_id)""",
            *turned(keys),
        )
        return {(row[0], row[1]): Move(*row[2:]) for row in rows}


RIGHTS = _Rights()
BOOKINGS = _Bookings()
GIVEN_TO = _GivenTo()
KINDS = _Kinds()
MOVES = _Moves()
