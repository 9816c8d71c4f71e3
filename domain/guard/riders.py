"""What takes part in a posting: members who move what is not theirs alone, and devices that are new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from domain.guard.errors import DeviceLimit
from domain.guard.model import DeviceSpend
from domain.ledger.parts import Part
from domain.ledger.past import turned
from domain.ledger.request import Books, Effect, Needs
from domain.ledger.store import Fixed
from domain.programs.guarding import NewDevice

_SPEND: Any = DeviceSpend.__table__


@dataclass(frozen=True, slots=True)
class Unbarred:
    """Lets a posting about a pool through unless the member's own points are guarded: it is theirs as well.

    What is about the member alone asks for itself.
    """

    member_id: UUID
    currency: str
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The member, with their lock: what guards them may just be changing."""
        needs.holders.add(self.member_id)
        needs.members.add(self.member_id)

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises PointsLocked, CoolingOff."""
        books.require_unbarred(self.member_id, self.currency)


Device = tuple[UUID, UUID]
"""A member, and a device of theirs."""


class Day(NamedTuple):
    """What a member's new devices spend of a currency on the day that begins then."""

    holder_id: UUID
    currency: str
    day: datetime


class _Devices:
    """When devices were first seen, and whether they are trusted all the same."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Device]) -> dict[Device, tuple[datetime, bool]]:
        rows = await connection.fetch(
            """SELECT holder_id, id, first_seen_at, trusted_at IS NOT NULL AS trusted
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id) JOIN member_device USING (holder_id, id)""",
            *turned(keys),
        )
        return {(row["holder_id"], row["id"]): (row["first_seen_at"], row["trusted"]) for row in rows}


@dataclass(slots=True)
class Spent:
    """Points, as a batch adds to them."""

    points: int = 0

    def add(self, points: int) -> None:
        """So many more."""
        self.points += points


class _SpentByNew:
    """What new devices have spent, by `Day`."""

    shared_lock: tuple[int, int] | None = None
    part: Part = Fixed(
        """INSERT INTO device_day (holder_id, currency, day, points)
           SELECT * FROM unnest({0}::uuid[], {1}::text[], {2}::timestamptz[], {3}::bigint[])
           ON CONFLICT (holder_id, currency, day) DO UPDATE SET points = device_day.points + excluded.points""",
        ("holder_id", "currency", "day", "points"),
    )

    async def load(self, connection: asyncpg.Connection, keys: Sequence[Day]) -> dict[Day, Spent]:
        rows = await connection.fetch(
            """SELECT holder_id, currency, day, points
               FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS asked (holder_id, currency, day)
               JOIN device_day USING (holder_id, currency, day)""",
            *turned(keys),
        )
        found = {Day(*place): Spent(points) for *place, points in rows}
        return {key: found.get(key, Spent()) for key in keys}


DEVICES = _Devices()
SPENT_BY_NEW = _SpentByNew()


@dataclass(frozen=True, slots=True)
class FromDevice:
    """Holds a debit to what its member's new devices may spend in a day. `device_id`: None where the call named none.

    It refuses before other riders have done anything, so it goes first.
    """

    member_id: UUID
    device_id: UUID | None
    currency: str
    limit: NewDevice
    day: datetime
    as_of: datetime

    @property
    def _day(self) -> Day:
        return Day(self.member_id, self.currency, self.day)

    def needs(self, needs: Needs) -> None:
        """The device, and what new ones have spent today; both lie under the member."""
        needs.holders.add(self.member_id)
        if self.device_id is not None:
            needs.other(DEVICES, (self.member_id, self.device_id))
        needs.other(SPENT_BY_NEW, self._day)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row, and one sum that it adds to. Raises DeviceLimit."""
        until = self._new_until(books)
        if until is not None and until <= self.as_of:
            return
        spent: Spent = books.other(SPENT_BY_NEW, self._day)
        if spent.points + effect.points > self.limit.points:
            named = until.isoformat() if until and self.device_id else None
            raise DeviceLimit(cap=self.limit.points, used=spent.points, until=named, path=("points",))
        row = {"holder_id": self.member_id, "operation_id": effect.operation["id"], "device_id": self.device_id}
        row |= {"currency": self.currency, "day": self.day, "points": effect.points}
        effect.rows.append((_SPEND, row))
        effect.adds.append((SPENT_BY_NEW, self._day, (effect.points,)))

    def _new_until(self, books: Books) -> datetime | None:
        """Until when the device is new: now, if it is trusted; None where it is not known."""
        seen = None if self.device_id is None else books.other(DEVICES, (self.member_id, self.device_id))
        if seen is None:
            return None
        first, trusted = seen
        return self.as_of if trusted else first + timedelta(days=self.limit.days)
