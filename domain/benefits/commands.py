"""What happens to rights, as requests for the posting engine: granted, booked, used, cancelled, expired, restored.

A use is a unit of an account: it comes out of the grantor's stock, if there is one, into the member's, and goes on from
there. Both have a floor, and so has the grantor's budget: what would pass it is refused.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.base import new_id
from domain.benefits.errors import (
    BookingEnded,
    RightAlreadyUsed,
    RightBooked,
    RightExpired,
    RightLimitExceeded,
    RightNotFound,
    RightNotUsable,
    RightNotYetValid,
    RightSoldOut,
    RightWithdrawn,
)
from domain.benefits.loading import BOOKINGS, GIVEN_TO, KINDS, MOVES, RIGHTS, Given, Move
from domain.benefits.model import ENDS, Right, RightBooking, RightCode, RightMove
from domain.benefits.rules import BookingState, Codes, Price, RightState, returned
from domain.errors import InvalidInput, NotFound
from domain.ledger.commands import AtMerchant, effect_of, note_row
from domain.ledger.errors import AlreadyReversed, NotReversible
from domain.ledger.model import AccountKind, OperationKind
from domain.ledger.request import Books, Effect, EntryState, Needs
from domain.programs.benefits import Benefit, budget_of

_RIGHT: Any = Right.__table__
_CODE: Any = RightCode.__table__
_MOVE: Any = RightMove.__table__
_BOOKING: Any = RightBooking.__table__

MOST_USES = 1_000
"""Uses of one right."""


@dataclass(slots=True, kw_only=True)
class GrantRight(AtMerchant):
    """Let a member use a benefit of `merchant_id` `quantity` times, until `expires_at` (None: ever).

    `prices` are what a use costs at each partner, by the agreements of this moment; `at` all places where it is used.
    `aside` is what a use may cost at the most, `own_cost` what it does at the grantor's own.
    """

    kind: str
    currency: str
    quantity: int
    valid_from: datetime
    expires_at: datetime | None
    at: frozenset[UUID]
    prices: tuple[Price, ...]
    aside: int
    own_cost: int
    codes: Codes

    def needs(self, needs: Needs) -> None:
        """The grantor's accounts, under its lock, its limits as they are now, and what the member has had."""
        AtMerchant.needs(self, needs)
        needs.holders.add(self.merchant_id)
        needs.other(KINDS, (self.merchant_id, self.kind))
        needs.other(GIVEN_TO, (self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect:
        """The right, its code, what it takes. Raises MemberNotActive, InvalidInput, RightSoldOut, RightLimitExceeded.

        What of its kind a member has had is counted in the books of this batch too.
        """
        books.require_active(self.holder_id)
        if self.quantity not in range(1, MOST_USES + 1):
            raise InvalidInput(reason=f"a right is used 1 to {MOST_USES} times", path=("quantity",))
        if self.expires_at is not None and self.expires_at <= max(self.as_of, self.valid_from):
            raise InvalidInput(reason="it would be over before it begins", path=("kind",))
        kind: Benefit | None = books.other(KINDS, (self.merchant_id, self.kind))
        if kind is None:
            raise NotFound(what=f"right {self.kind!r}", path=("kind",))
        given: Given = books.other(GIVEN_TO, (self.holder_id, self.currency))
        if kind.per_member is not None and given.uses + self.quantity > kind.per_member:
            raise RightLimitExceeded(cap=kind.per_member, used=given.uses, path=("quantity",))
        cost = None if kind.budget is None else self.aside
        _require_left(books, kind, self.currency, self.quantity, (cost or 0) * self.quantity)
        stocked = kind.stock is not None
        effect = self.effect(OperationKind.RIGHT_GRANT, self.quantity)
        right_id = new_id()
        row = {"holder_id": self.holder_id, "id": right_id, "operation_id": effect.operation["id"]}
        row |= {"grantor_id": self.merchant_id, "kind": self.kind, "currency": self.currency}
        row |= {"quantity": self.quantity, "remaining": self.quantity, "granted_at": self.as_of}
        row |= {"valid_from": self.valid_from, "expires_at": self.expires_at}
        row |= {"at": sorted(map(str, self.at)), "prices": [price.to_json() for price in self.prices]}
        row |= {"cost": cost, "own_cost": self.own_cost, "stocked": stocked}
        row |= {"code_hash": self.codes.hashed(self.codes.of(right_id))}
        effect.rows.append((_RIGHT, row))
        code = {"code_hash": row["code_hash"], "holder_id": self.holder_id, "right_id": right_id}
        effect.rows.append((_CODE, code))
        moved = _Moved(right_id, self.holder_id, self.merchant_id, self.kind, self.currency, stocked)
        moved.move(effect, self.quantity, -(cost or 0) * self.quantity)
        self.ride(books, effect)
        given.uses += self.quantity
        return effect


@dataclass(slots=True, kw_only=True)
class _OfRight(AtMerchant):
    """What is done to a right that is there, at the merchant that is called `place`. `grantor_id` is whose stock or
    budget it moves; None where it has none.

    With a `code_hash` it is only for whoever has the code.
    """

    right_id: UUID
    place: str = ""
    grantor_id: UUID | None = None
    code_hash: bytes | None = None
    note: str | None = None

    def needs(self, needs: Needs) -> None:
        """The right and its bookings; its grantor's accounts, under their lock."""
        AtMerchant.needs(self, needs)
        needs.other(RIGHTS, (self.holder_id, self.right_id))
        if self.grantor_id is not None:
            needs.holders.add(self.grantor_id)

    def right(self, books: Books) -> RightState:
        """The right. Raises RightNotFound."""
        found: RightState | None = books.other(RIGHTS, (self.holder_id, self.right_id))
        if found is None or (self.code_hash is not None and not hmac.compare_digest(found.code_hash, self.code_hash)):
            raise RightNotFound(path=("right",))
        return found

    def require_valid(self, right: RightState) -> None:
        """Raises RightNotYetValid, RightExpired, RightNotUsable."""
        if self.as_of < right.valid_from:
            raise RightNotYetValid(valid_from=right.valid_from.isoformat(), path=("right",))
        if right.expires_at is not None and right.expires_at <= self.as_of:
            raise RightExpired(expired=right.expires_at.isoformat(), path=("right",))
        if self.merchant_id not in right.at:
            raise RightNotUsable(merchant=self.place, path=("merchant",))

    def changed(self, effect: Effect, right: RightState, amount: int, cost: int, **more: Any) -> None:
        """The operation moves so many uses; `more`: see `_Moved.move`."""
        moved = _Moved(right.id, right.holder_id, right.grantor_id, right.kind, right.currency, right.stocked)
        moved.move(effect, amount, cost, **more)
        if self.note:
            effect.rows.append(note_row(effect, self.note))

    def unbooked(self, kind: str, points: int = 1) -> Effect:
        """What posts nothing, as a hold does not."""
        operation = {"holder_id": self.holder_id, "id": self.right_id, "kind": kind, "decisions": None}
        operation |= {"merchant_id": self.merchant_id, "store": self.store, "order_ref": self.order_ref}
        operation |= {"occurred_at": self.occurred_at, "reverses": None}
        return Effect(operation=operation, points=points, booked=False, data={"right": str(self.right_id)})


@dataclass(slots=True, kw_only=True)
class ReserveRight(_OfRight):
    """Set one use aside at a merchant, until `expires_at`; `cancel_until` is until when it costs nothing to cancel,
    where the member has promised to come. The riders write what it reserves."""

    expires_at: datetime
    cancel_until: datetime | None = None

    def decide(self, books: Books) -> Effect:
        """A booking. Raises MemberNotActive, RightNotFound, and as `require_valid` and `_require_free` do."""
        books.require_active(books.heir(self.holder_id))
        right = self.right(books)
        self.require_valid(right)
        effect = self.unbooked("RIGHT_RESERVE")
        gone = _let_go(books, effect, right, self.as_of, 1)
        _require_free(right, right.free + gone, 1)
        booking_id = new_id()
        row: dict[str, Any] = {"holder_id": self.holder_id, "id": booking_id, "right_id": right.id}
        row |= {"merchant_id": self.merchant_id}
        row |= {"client_id": self.client_id, "booked_at": self.as_of, "expires_at": self.expires_at}
        row |= {"cancel_until": self.cancel_until, "owed": None, **dict.fromkeys(ENDS, 0)}
        effect.rows.append((_BOOKING, row))
        effect.adds.append((RIGHTS, (right.holder_id, right.id), (0, 1, 0, 0)))
        effect.data["booking"] = str(booking_id)
        self.ride(books, effect)
        right.bookings.append(BookingState.of(row))
        return effect


@dataclass(slots=True, kw_only=True)
class UseRight(_OfRight):
    """Use a right `quantity` times at a merchant; what is booked there goes first."""

    quantity: int = 1

    def decide(self, books: Books) -> Effect:
        """Uses are used up. Raises as ReserveRight does."""
        books.require_active(books.heir(self.holder_id))
        if self.quantity not in range(1, MOST_USES + 1):
            raise InvalidInput(reason=f"a right is used 1 to {MOST_USES} times", path=("quantity",))
        right = self.right(books)
        self.require_valid(right)
        effect = self.effect(OperationKind.RIGHT_USE, self.quantity)
        booked = [one for one in right.open_bookings() if one.merchant_id == self.merchant_id][: self.quantity]
        gone = _let_go(books, effect, right, self.as_of, self.quantity - len(booked), booked)
        _require_free(right, right.free + gone + len(booked), self.quantity)
        for booking in booked:
            _end(books, effect, booking, used=1)
        cost = returned(right, right.price_at(self.merchant_id))
        last = booked[0].id if booked else None
        self.changed(effect, right, -self.quantity, cost * self.quantity, free=len(booked), booking_id=last)
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class EndBooking(_OfRight):
    """End a booking unused. In time, or where nothing was agreed for a no-show, the use is free again and nothing is
    owed; too late, it is used up (`missed`), and owed for as agreed (A15).

    `lapses`: not by anyone's call but by its time; then there may be nothing to do.
    """

    booking_id: UUID
    lapses: bool = False

    def decide(self, books: Books) -> Effect | None:
        """Nothing is posted, or the missed use. Raises RightNotFound, NotFound, BookingEnded."""
        right = self.right(books)
        booking = next((one for one in right.bookings if one.id == self.booking_id), None)
        if booking is None:
            raise NotFound(what="booking", path=("booking",))
        if self.lapses and (booking.ended is not None or booking.expires_at > self.as_of):
            return None
        if booking.ended is not None:
            raise BookingEnded(status=booking.ended, path=("booking",))
        price = right.price_at(booking.merchant_id)
        late = booking.cancel_until is not None and self.as_of > booking.cancel_until
        if late and price is not None and price.no_show is not None:
            return self._missed(books, right, booking, price)
        effect = self.unbooked("RIGHT_RELEASE")
        over = self.lapses or booking.expires_at <= self.as_of
        _end(books, effect, booking, **({"lapsed": 1} if over else {"cancelled": 1}))
        effect.adds.append((RIGHTS, (right.holder_id, right.id), (0, -1, 0, 0)))
        effect.data |= {"booking": str(booking.id), "noShow": False}
        return self.ride(books, effect)

    def _missed(self, books: Books, right: RightState, booking: BookingState, price: Price) -> Effect:
        """One use is used up."""
        effect = self.effect(OperationKind.RIGHT_NO_SHOW, 1)
        _end(books, effect, booking, missed=1)
        cost = returned(right, price, no_show=True)
        self.changed(effect, right, -1, cost, free=1, booking_id=booking.id)
        effect.data |= {"booking": str(booking.id), "noShow": True}
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class CancelRight(_OfRight):
    """Take back what is left of a right and not booked; nothing is owed, and stock and budget return (A15).

    With `reverses`, the operation that granted it, all of it must be left.
    """

    reverses: UUID | None = None

    def needs(self, needs: Needs) -> None:
        """Also what it undoes."""
        _OfRight.needs(self, needs)
        if self.reverses is not None:
            needs.operations.add((self.holder_id, self.reverses))

    def decide(self, books: Books) -> Effect:
        """Unused uses go back. Raises RightNotFound, RightAlreadyUsed, RightBooked, RightWithdrawn, AlreadyReversed."""
        right = self.right(books)
        past = books.require_operation(self.holder_id, self.reverses) if self.reverses is not None else None
        if past is not None and past.reversed_by is not None:
            raise AlreadyReversed(operation=str(past.reversed_by), path=("operation",))
        if past is not None and right.remaining < right.quantity:
            raise RightAlreadyUsed(left=right.remaining, requested=right.quantity, path=("operation",))
        count = right.free
        _require_free(right, count, right.quantity if past is not None else 1)
        effect = self.effect(OperationKind.RIGHT_CANCEL, count, reverses=self.reverses)
        effect.reverses = past
        self.changed(effect, right, -count, (right.cost or 0) * count, cancelled=count)
        effect.data |= {"taken": count}
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class ExpireRight(_OfRight):
    """Book that what is left of a right is past its date; what is booked waits for its booking. May do nothing."""

    def decide(self, books: Books) -> Effect | None:
        """Unused uses go back."""
        right: RightState | None = books.other(RIGHTS, (self.holder_id, self.right_id))
        if right is None or right.expires_at is None or right.expires_at > self.as_of or not right.free:
            return None
        effect = self.effect(OperationKind.RIGHT_EXPIRE, right.free)
        self.changed(effect, right, -right.free, (right.cost or 0) * right.free, expired=right.free)
        return effect


@dataclass(slots=True, kw_only=True)
class RestoreRight(_OfRight):
    """Undo a use, a no-show or a cancellation, whole: what was owed for it is taken back (the riders do that).

    What comes back keeps its date; where that has passed it comes back expired (R20).
    """

    operation_id: UUID
    kind: str

    def needs(self, needs: Needs) -> None:
        """Also the operation, and what it did; and the limits of what it may have to come out of again."""
        _OfRight.needs(self, needs)
        if self.grantor_id is not None:
            needs.other(KINDS, (self.grantor_id, self.kind))
        needs.operations.add((self.holder_id, self.operation_id))
        needs.other(MOVES, (self.holder_id, self.operation_id))

    def decide(self, books: Books) -> Effect:
        """The opposite. Raises MemberNotActive, NotFound, NotReversible, AlreadyReversed, RightSoldOut."""
        books.require_active(books.heir(self.holder_id))
        right = self.right(books)
        original = books.require_operation(self.holder_id, self.operation_id)
        move: Move | None = books.other(MOVES, (self.holder_id, self.operation_id))
        if move is None or original.kind not in _RESTORED or original.reverses is not None:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        unused = original.kind == OperationKind.RIGHT_CANCEL
        kind: Benefit | None = books.other(KINDS, (right.grantor_id, right.kind))
        if kind is not None:
            _require_left(books, kind, right.currency, -move.amount if unused and right.stocked else 0, move.cost)
        place = {"store": original.store, "channel": original.channel, "order_ref": original.order_ref}
        effect = effect_of(
            self, OperationKind.RIGHT_RESTORE, original.merchant_id, -move.amount, reverses=original.id, **place
        )
        effect.reverses = original
        self.changed(effect, right, -move.amount, -move.cost, cancelled=move.amount if unused else 0)
        over = right.expires_at is not None and right.expires_at <= self.as_of
        effect.data |= {"restored": -move.amount, "expired": -move.amount if over else 0}
        return self.ride(books, effect)


_RESTORED = (OperationKind.RIGHT_USE, OperationKind.RIGHT_NO_SHOW, OperationKind.RIGHT_CANCEL)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Whose uses of what are moved."""

    right_id: UUID
    holder_id: UUID
    grantor_id: UUID
    kind: str
    currency: str
    stocked: bool

    def move(
        self,
        effect: Effect,
        amount: int,
        cost: int,
        *,
        free: int = 0,
        cancelled: int = 0,
        expired: int = 0,
        booking_id: UUID | None = None,
    ) -> None:
        """Entries, and the move; of a right that was there, its sums: `free` of its bookings end."""
        kind = OperationKind(effect.operation["kind"])
        undone = OperationKind(effect.reverses.kind) if effect.reverses is not None else kind
        used = undone in (OperationKind.RIGHT_USE, OperationKind.RIGHT_NO_SHOW)
        home = AccountKind.STOCK if self.stocked else AccountKind.GRANTED
        counter = (AccountKind.USED if used else home).value
        own, rights = self.grantor_id, AccountKind.RIGHTS.value
        effect.entries.append(EntryState(rights, self.currency, amount, own, counter))
        if counter == AccountKind.STOCK:
            effect.entries.append(EntryState(counter, self.currency, -amount, self.holder_id, rights, own))
        if cost:
            budget = (AccountKind.BUDGET.value, budget_of(self.currency), cost)
            effect.entries.append(EntryState(*budget, self.holder_id, AccountKind.COST.value, own))
        operation_id = effect.operation["id"]
        row = {"holder_id": self.holder_id, "operation_id": operation_id, "right_id": self.right_id}
        effect.rows.append((_MOVE, row | {"amount": amount, "cost": cost, "booking_id": booking_id}))
        if kind != OperationKind.RIGHT_GRANT:
            place = (self.holder_id, self.right_id)
            effect.adds.append((RIGHTS, place, (amount, -free, cancelled, expired)))
        effect.data["right"] = str(self.right_id)


def _end(books: Books, effect: Effect, booking: BookingState, **ended: int) -> None:
    """A booking ends; what was reserved for it is set free by the riders."""
    place = (booking.holder_id, booking.id)
    books.others.setdefault(BOOKINGS, {})[place] = booking
    how = tuple(ended.get(name, 0) for name in ENDS)
    effect.adds.append((BOOKINGS, place, how))


def _let_go(
    books: Books,
    effect: Effect,
    right: RightState,
    as_of: datetime,
    wanted: int,
    kept: Sequence[BookingState] = (),
) -> int:
    """Bookings that are over, and that nobody promised to keep, are in nobody's way: as many as it takes end here."""
    over = [one for one in right.open_bookings() if one.is_over(as_of) and one not in kept]
    ended = over[: max(0, wanted - right.free)]
    for booking in ended:
        _end(books, effect, booking, lapsed=1)
        effect.adds.append((RIGHTS, (right.holder_id, right.id), (0, -1, 0, 0)))
    return len(ended)


def _require_free(right: RightState, free: int, wanted: int) -> None:
    """Raises RightAlreadyUsed, RightBooked, RightWithdrawn, RightExpired."""
    if free >= wanted:
        return
    if right.remaining >= wanted:
        raise RightBooked(booked=right.booked, path=("right",))
    if not right.remaining and not right.used:
        if right.cancelled:
            raise RightWithdrawn(path=("right",))
        raise RightExpired(expired=(right.expires_at or right.valid_from).isoformat(), path=("right",))
    raise RightAlreadyUsed(left=free, requested=wanted, path=("right",))


def _require_left(books: Books, kind: Benefit, currency: str, uses: int, money: int) -> None:
    """Raises RightSoldOut where so many uses would pass the floor of the stock, or the money that of the budget."""
    left = uses
    if kind.stock is not None and uses:
        left = min(left, kind.stock + books.posted(kind.merchant_id, AccountKind.STOCK, currency))
    if kind.budget is not None and money > 0:
        free = kind.budget + books.posted(kind.merchant_id, AccountKind.BUDGET, budget_of(currency))
        if free < money:
            left = min(left, max(free, 0) * max(uses, 1) // money)
            raise RightSoldOut(left=max(0, left), requested=max(uses, 1), path=("kind",))
    if left < uses:
        raise RightSoldOut(left=max(0, left), requested=uses, path=("kind",))
