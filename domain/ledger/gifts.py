"""Points from one holder to another (R6), as requests to the posting engine: members, or a member and a pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.ledger import shortfalls
from domain.ledger.aliases import all_of
from domain.ledger.commands import POINTS, effect_of, note_row, require_room, take_of
from domain.ledger.errors import (
    AlreadyReversed,
    GiftLimitExceeded,
    GiftNotWhole,
    GiftsNotAllowed,
    GivenTooOften,
    InsufficientPoints,
    NotReversible,
)
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.restoring import Grace, put_into, record_fault
from domain.ledger.rules import LotState, allocate, available


class GiftLimits(NamedTuple):
    """The most `points` and `gifts` that a member gives a day, and how many gifts a point goes through at most."""

    points: int
    gifts: int
    depth: int


class GivenDay(NamedTuple):
    """A member's gifts of a currency, from an instant until before another."""

    holder_id: UUID
    currency: str
    first: datetime
    before: datetime


class _GivenInDay:
    """How many gifts were made, and of how many points, by `GivenDay`. One that was taken back still counts."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[GivenDay]) -> dict[GivenDay, tuple[int, int]]:
        rows = await connection.fetch(
            f"""SELECT asked.n, count(*) AS gifts, -sum(e.amount)::bigint AS points
               FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
                    WITH ORDINALITY AS asked (holder_id, currency, first, before, n)
               JOIN entry e ON e.holder_id = {all_of("asked.holder_id")} AND e.counter_account = 'POINTS'
                    AND e.currency = asked.currency
               JOIN operation o ON o.holder_id = e.holder_id AND o.id = e.operation_id
               WHERE o.kind IN ('GIFT', 'POOL_IN', 'POOL_OUT') AND o.as_of >= asked.first AND o.as_of < asked.before
               GROUP BY asked.n""",  # noqa: S608
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: (row["gifts"], row["points"]) for row in rows}


GIVEN_IN_DAY = _GivenInDay()


class _MadeBy:
    """The lots, (holder, id), that an operation made under a holder, by (holder, operation)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], set[tuple[UUID, UUID]]]:
        found: dict[tuple[UUID, UUID], set[tuple[UUID, UUID]]] = {}
        for holder_id, id_, operation_id in await connection.fetch(
            """SELECT holder_id, id, operation_id FROM lot
               JOIN unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
                    USING (holder_id, operation_id)""",
            *(list(column) for column in zip(*keys, strict=True)),
        ):
            found.setdefault((holder_id, operation_id), set()).add((holder_id, id_))
        return found


MADE_BY = _MadeBy()


@dataclass(slots=True, kw_only=True)
class Gift(Request):
    """`points` of `currency` from the holder to another, lot by lot: they keep issuer, funder, price and dates.

    `issuer_id` is where the gift is recorded. Without `limits` the currency is not for giving; `day` is the span
    that they count in. Into a pool and out of it is one gift: on the way in (POOL_IN) the depth is not counted.
    """

    to_holder_id: UUID
    currency: str
    issuer_id: UUID
    points: int
    limits: GiftLimits | None
    day: tuple[datetime, datetime]
    note: str | None = None
    kind: OperationKind = OperationKind.GIFT

    @property
    def _deepens(self) -> bool:
        return self.kind != OperationKind.POOL_IN

    @property
    def _day(self) -> GivenDay:
        return GivenDay(self.holder_id, self.currency, *self.day)

    def needs(self, needs: Needs) -> None:
        """Both members, the giver's open lots, what was given in the day, and what the riders ask for."""
        needs.holders.add(self.to_holder_id)
        needs.members.update((self.holder_id, self.to_holder_id))
        needs.wallets.add((self.holder_id, self.currency))
        needs.other(GIVEN_IN_DAY, self._day)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """Two entries, one a holder, and a lot for each that gave.

        Raises InvalidInput, NotFound, MemberNotActive, GiftsNotAllowed, GiftLimitExceeded, GivenTooOften,
        InsufficientPoints, BalanceLimitExceeded.
        """
        if self.to_holder_id == self.holder_id:
            raise InvalidInput(reason="nobody gives to themselves", path=("to",))
        books.require_active(self.holder_id, ("from",))
        books.require_active(self.to_holder_id, ("to",))
        books.require_unbarred(self.holder_id, self.currency, "from")
        if self.limits is None:
            raise GiftsNotAllowed(currency=self.currency, path=("currency",))
        gifts, points = self._within(books, self.limits)
        taken = self._take(books, self.limits.depth)
        require_room(books, self.to_holder_id, self.currency, self.points)
        effect = effect_of(self, self.kind, self.issuer_id, self.points)
        move(effect, self.holder_id, self.to_holder_id, self.currency, self.points)
        effect.allocations.extend((lot, -part) for lot, part in taken)
        effect.lots.extend(
            given_lot(effect, lot, self.to_holder_id, part, depth=lot.depth + self._deepens) for lot, part in taken
        )
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        for rider in self.riders:
            rider.ride(books, effect)
        books.others[GIVEN_IN_DAY][self._day] = (gifts + 1, points + self.points)
        return effect

    def _within(self, books: Books, limits: GiftLimits) -> tuple[int, int]:
        """What was given today, if there is room for this gift."""
        gifts, points = books.other(GIVEN_IN_DAY, self._day) or (0, 0)
        if gifts >= limits.gifts:
            raise GiftLimitExceeded(limit="GIFTS", cap=limits.gifts, used=gifts)
        if points + self.points > limits.points:
            raise GiftLimitExceeded(limit="POINTS", cap=limits.points, used=points, path=("points",))
        return gifts, points

    def _take(self, books: Books, depth: int) -> list[tuple[LotState, int]]:
        """The lots that give, by R1, but for those whose points were given too often."""
        lots = books.open_lots(self.holder_id, self.currency)
        fresh = [lot for lot in lots if lot.depth < depth or not self._deepens]
        have = books.spendable(self.holder_id, self.currency, self.as_of)
        if self.points > have:
            raise InsufficientPoints(available=have, requested=self.points, path=("points",))
        have = available(fresh, self.as_of)
        if have < self.points <= available(lots, self.as_of):
            raise GivenTooOften(depth=depth, available=have, path=("points",))
        return take_of(fresh, self.points, self.as_of)


@dataclass(slots=True, kw_only=True)
class ReverseGift(Request):
    """Take a gift back, whole: the points return to the very lots that gave, with `grace` for some days more (R20)."""

    operation_id: UUID
    to_holder_id: UUID
    currency: str
    note: str | None = None
    clawback: Mapping[UUID, str] = field(default_factory=dict)
    grace: Grace | None = None

    def after(self, books: Books, effect: Effect) -> list[Effect]:
        """What comes back of a reversed earn goes to its clawback first."""
        return shortfalls.recover(books, self, effect, self.clawback)

    def needs(self, needs: Needs) -> None:
        """Both members, the gift, and the receiver's open lots."""
        needs.holders.add(self.to_holder_id)
        needs.members.update((self.holder_id, self.to_holder_id))
        needs.operations.add((self.holder_id, self.operation_id))
        needs.wallets.add((self.to_holder_id, self.currency))
        needs.other(MADE_BY, (self.to_holder_id, self.operation_id))

    def decide(self, books: Books) -> Effect:
        """The opposite entries. Raises NotFound, MemberNotActive, NotReversible, AlreadyReversed, GiftNotWhole."""
        books.require_active(books.heir(self.holder_id))
        receiver_id = books.heir(self.to_holder_id)
        books.require_active(receiver_id)
        original = self._original(books)
        points = -original.entries[0].amount
        made = books.other(MADE_BY, (self.to_holder_id, original.id)) or ()
        wallet = books.open_lots(receiver_id, self.currency)
        given = [lot for lot in wallet if lot.operation_id == original.id or lot.root in made]
        whole = available(given, self.as_of)
        if whole < points:
            raise GiftNotWhole(points=points, available=whole, path=("operation",))
        effect = effect_of(self, OperationKind.REVERSAL, original.merchant_id, points, reverses=original.id)
        effect.reverses = original
        move(effect, receiver_id, self.holder_id, self.currency, points)
        until = self.grace(self.currency) if self.grace is not None else None
        expired = put_into(effect, [(lot, -part) for lot, part in original.allocations], until, self.as_of)
        effect.allocations.extend((lot, -part) for lot, part in allocate(given, points, self.as_of))
        effect.data |= {"restored": points, "expired": expired, "taken": 0}
        if self.grace is not None:
            record_fault(effect, points)
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        return effect

    def _original(self, books: Books) -> PastOperation:
        original = books.operation(self.holder_id, self.operation_id)
        if original is None:
            raise NotFound(what="operation", path=("operation",))
        if original.kind != OperationKind.GIFT:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        return original


def move(effect: Effect, from_id: UUID, to_id: UUID, currency: str, points: int) -> None:
    """The two entries of a transfer between members: equal and opposite, naming each other."""
    effect.entries.append(EntryState(POINTS, currency, -points, to_id, POINTS, from_id))
    effect.entries.append(EntryState(POINTS, currency, points, from_id, POINTS, to_id))


def given_lot(effect: Effect, lot: LotState, to_holder_id: UUID, points: int, *, depth: int) -> LotState:
    """The lot of another holder into which points of this one go: as it was issued and funded, until it ends (R6)."""
    return LotState(
        to_holder_id,
        new_id(),
        lot.currency,
        effect.operation["id"],
        lot.issuer_id,
        lot.funder_id,
        lot.price,
        points,
        points,
        lot.granted_at,
        lot.expires_at,
        source_holder_id=lot.holder_id,
        source_lot_id=lot.id,
        depth=depth,
        agreement_version=lot.agreement_version,
    )
