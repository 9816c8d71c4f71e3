"""What a merchant's staff moves by hand (A16): adjustments, and expired points that come back (R5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.errors import InvalidInput
from domain.ledger.commands import POINTS, effect_of, note_row, require_room, take
from domain.ledger.errors import AdjustmentLimitExceeded, NothingToReinstate
from domain.ledger.model import AccountKind, Adjustment, OperationKind, OperationReturn
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.rules import LotState, spend_order

_ADJUSTMENT: Any = Adjustment.__table__
_RETURN: Any = OperationReturn.__table__


class AdjustmentLimits(NamedTuple):
    """The most points that a client moves by hand at once, and in a day."""

    once: int
    a_day: int


class AdjustedDay(NamedTuple):
    """What a client moved by hand for a merchant, from an instant until before another."""

    merchant_id: UUID
    client_id: UUID | None
    first: datetime
    before: datetime


class _AdjustedInDay:
    """Points moved, either way, by `AdjustedDay`."""

    shared_lock: tuple[int, int] | None = None

    async def load(self, connection: asyncpg.Connection, keys: Sequence[AdjustedDay]) -> dict[AdjustedDay, int]:
        rows = await connection.fetch(
            """SELECT asked.n, sum(abs(a.points))::bigint AS points
               FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
                    WITH ORDINALITY AS asked (holder_id, client_id, first, before, n)
               JOIN adjustment a ON a.holder_id = asked.holder_id AND a.client_id = asked.client_id
                    AND a.as_of >= asked.first AND a.as_of < asked.before
               GROUP BY asked.n""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        return {keys[row["n"] - 1]: row["points"] for row in rows}


ADJUSTED_IN_DAY = _AdjustedInDay()


@dataclass(slots=True, kw_only=True)
class Adjust(Request):
    """Give (`points` > 0) or take (< 0) by hand, for a reason. The merchant whose staff did it funds what is given.

    The limits of a client are kept under its merchant, which is locked too: they hold whoever else adjusts.
    """

    merchant_id: UUID
    currency: str
    issuer_id: UUID
    points: int
    reason: str
    limits: AdjustmentLimits
    day: tuple[datetime, datetime]
    price: int = 0
    agreement_version: int | None = None
    expires_at: datetime | None = None

    @property
    def _day(self) -> AdjustedDay:
        return AdjustedDay(self.merchant_id, self.client_id, *self.day)

    def needs(self, needs: Needs) -> None:
        """The member, the merchant, what the client adjusted today, and the open lots where points are taken."""
        needs.members.add(self.holder_id)
        needs.holders.add(self.merchant_id)
        needs.other(ADJUSTED_IN_DAY, self._day)
        if self.agreement_version is not None:
            needs.funded.add((self.issuer_id, self.merchant_id, self.agreement_version))
        if self.points < 0:
            needs.wallets.add((self.holder_id, self.currency))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """One entry, and a lot or allocations.

        Raises InvalidInput, NotFound, MemberNotActive, AdjustmentLimitExceeded, InsufficientPoints,
        BalanceLimitExceeded.
        """
        books.require_active(self.holder_id)
        if not self.points:
            raise InvalidInput(reason="points must not be zero", path=("points",))
        used = self._within(books)
        effect = effect_of(self, OperationKind.ADJUST, self.merchant_id, abs(self.points))
        effect.entries.append(
            EntryState(POINTS, self.currency, self.points, self.issuer_id, AccountKind.ADJUSTMENT.value)
        )
        if self.points > 0:
            require_room(books, self.holder_id, self.currency, self.points)
            effect.lots.append(self._lot(effect))
        else:
            taken = take(books, self.holder_id, self.currency, -self.points, self.as_of)
            effect.allocations.extend((lot, -part) for lot, part in taken)
        effect.rows += [note_row(effect, self.reason), (_ADJUSTMENT, self._row(effect))]
        effect.data["change"] = self.points
        for rider in self.riders:
            rider.ride(books, effect)
        books.others[ADJUSTED_IN_DAY][self._day] = used + abs(self.points)
        return effect

    def _within(self, books: Books) -> int:
        """What the client adjusted today, if there is room for this."""
        points = abs(self.points)
        if points > self.limits.once:
            raise AdjustmentLimitExceeded(per="ONE", cap=self.limits.once, used=0, path=("points",))
        used: int = books.other(ADJUSTED_IN_DAY, self._day) or 0
        if used + points > self.limits.a_day:
            raise AdjustmentLimitExceeded(per="DAY", cap=self.limits.a_day, used=used, path=("points",))
        return used

    def _lot(self, effect: Effect) -> LotState:
        return LotState(
            self.holder_id,
            new_id(),
            self.currency,
            effect.operation["id"],
            self.issuer_id,
            self.merchant_id,
            self.price,
            self.points,
            self.points,
            self.as_of,
            self.expires_at,
            agreement_version=self.agreement_version,
        )

    def _row(self, effect: Effect) -> dict[str, Any]:
        return {
            "holder_id": self.merchant_id,
            "operation_id": effect.operation["id"],
            "member_id": self.holder_id,
            "client_id": self.client_id,
            "currency": self.currency,
            "points": self.points,
            "as_of": self.as_of,
        }


class _Reinstated:
    """Points that came back of what an operation expired, by original lot; the key is (holder, operation)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[UUID, UUID]]
    ) -> dict[tuple[UUID, UUID], dict[UUID, int]]:
        rows = await connection.fetch(
            """SELECT asked.holder_id, asked.id, lot.source_lot_id, sum(lot.granted)::bigint AS points
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, id)
               JOIN operation o ON o.holder_id = asked.holder_id AND o.reverses = asked.id
               JOIN lot ON lot.holder_id = o.holder_id AND lot.operation_id = o.id
               GROUP BY 1, 2, 3""",
            [holder_id for holder_id, _ in keys],
            [operation_id for _, operation_id in keys],
        )
        found: dict[tuple[UUID, UUID], dict[UUID, int]] = {}
        for holder_id, operation_id, lot_id, points in rows:
            found.setdefault((holder_id, operation_id), {})[lot_id] = points
        return found


REINSTATED = _Reinstated()


@dataclass(slots=True, kw_only=True)
class Reinstate(Request):
    """Bring back `points` that `operation_id` expired (None: all that are left), as lots that live until `expires_at`.

    Each names the lot it was, and keeps its issuer; the issuer funds it. `expires_at` None is never.
    """

    operation_id: UUID
    points: int | None
    expires_at: datetime | None
    reason: str

    def needs(self, needs: Needs) -> None:
        """The expiry, and what came back of it."""
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))
        needs.other(REINSTATED, (self.holder_id, self.operation_id))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """One entry and a lot for each that comes back.

        Raises NotFound, OperationArchived, InvalidInput, MemberNotActive, NothingToReinstate, BalanceLimitExceeded.
        """
        books.require_active(self.holder_id)
        expired = books.require_operation(self.holder_id, self.operation_id)
        if expired.kind != OperationKind.EXPIRE:
            raise InvalidInput(reason=f"an operation of kind {expired.kind} expired nothing", path=("operation",))
        back: dict[UUID, int] = books.other(REINSTATED, (self.holder_id, self.operation_id)) or {}
        parts, left = self._parts(expired, back)
        points = sum(part for _, part in parts)
        entry = expired.entries[0]
        require_room(books, self.holder_id, entry.currency, points)
        effect = effect_of(self, OperationKind.REINSTATE, expired.merchant_id, points, reverses=expired.id)
        effect.entries.append(
            EntryState(POINTS, entry.currency, points, entry.counter_holder_id, entry.counter_account)
        )
        effect.lots.extend(self._lot(effect, lot, part) for lot, part in parts)
        effect.data |= {"currency": entry.currency, "expires_at": self.expires_at and self.expires_at.isoformat()}
        effect.rows += [note_row(effect, self.reason), (_RETURN, self._return(effect, whole=points == left))]
        for rider in self.riders:
            rider.ride(books, effect)
        now = {lot.id: back.get(lot.id, 0) + part for lot, part in parts}
        books.others[REINSTATED][self.holder_id, self.operation_id] = back | now
        return effect

    def _parts(self, expired: PastOperation, back: dict[UUID, int]) -> tuple[list[tuple[LotState, int]], int]:
        """What comes back of which lot, those first that expired first; and how much may.

        Raises InvalidInput, NothingToReinstate.
        """
        left = sorted(
            ((lot, -part - back.get(lot.id, 0)) for lot, part in expired.allocations),
            key=lambda pair: spend_order(pair[0]),
        )
        available = sum(part for _, part in left)
        wanted = available if self.points is None else self.points
        if self.points is not None and self.points <= 0:
            raise InvalidInput(reason="points must be positive", path=("points",))
        if not available or wanted > available:
            raise NothingToReinstate(available=available, requested=max(wanted, 1), path=("points",))
        parts = []
        for lot, most in left:
            part = min(most, wanted)
            wanted -= part
            if part:
                parts.append((lot, part))
        return parts, available

    def _return(self, effect: Effect, *, whole: bool) -> dict[str, Any]:
        """So much of the expiry is undone; nothing was asked of the wallet for it."""
        return {
            "holder_id": self.holder_id,
            "operation_id": effect.operation["id"],
            "returned": {"lines": [], "amount": 0, "points": effect.points},
            "undone": effect.points,
            "due": 0,
            "whole": whole,
        }

    def _lot(self, effect: Effect, lot: LotState, part: int) -> LotState:
        return LotState(
            self.holder_id,
            new_id(),
            lot.currency,
            effect.operation["id"],
            lot.issuer_id,
            lot.issuer_id,
            0,
            part,
            part,
            self.as_of,
            self.expires_at,
            source_holder_id=lot.holder_id,
            source_lot_id=lot.id,
            depth=lot.depth,
        )
