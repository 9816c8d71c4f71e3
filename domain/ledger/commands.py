"""The ledger's verbs, as requests to the posting engine. Points are valued before: a request carries integers."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table

from domain.base import new_id
from domain.errors import InvalidInput, NotFound
from domain.ledger import debts
from domain.ledger.errors import (
    AlreadyReversed,
    BalanceLimitExceeded,
    DuplicateOrder,
    InsufficientPoints,
    NotReversible,
)
from domain.ledger.model import AccountKind, OperationKind, OperationNote, OperationReturn, OrderReference
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.returns import (
    EVERYTHING,
    Asked,
    Kept,
    Order,
    Valuing,
    give_back,
    kept_after,
    named,
    order_of,
    proportional,
    return_of,
    undone_of_earn,
    undone_of_redemption,
)
from domain.ledger.rules import LotState, allocate, available, clawback, exchanged_lots, gone, put_back
from domain.money import MAX_INTEGER

POINTS = AccountKind.POINTS.value
Taken = list[tuple[LotState, int]]


@dataclass(slots=True, kw_only=True)
class _AtMerchant(Request):
    """What earn, redeem and exchange share: where it happened."""

    merchant_id: UUID
    channel: str | None = None
    store: str | None = None
    order_ref: str | None = None

    def needs(self, needs: Needs) -> None:
        """The member's status, and what the riders ask for."""
        needs.members.add(self.holder_id)
        for rider in self.riders:
            rider.needs(needs)

    def effect(self, kind: OperationKind, points: int, **more: Any) -> Effect:
        """An effect with nothing in it but the operation."""
        place = {"store": self.store, "channel": self.channel, "order_ref": self.order_ref}
        return effect_of(self, kind, self.merchant_id, points, **place, **more)

    def ride(self, books: Books, effect: Effect) -> Effect:
        """The effect with the riders' rows."""
        for rider in self.riders:
            rider.ride(books, effect)
        return effect


class Grant(NamedTuple):
    """Points of another currency of the same issuer, which it pays for itself."""

    currency: str
    points: int
    expires_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Earn(_AtMerchant):
    """Grant `points` of `currency`, which `issuer_id` issues and `funder_id` pays for at `price` (10^-8) a point.

    `beside` is what the merchant grants of its own other currencies for the same purchase.
    """

    currency: str
    issuer_id: UUID
    funder_id: UUID
    points: int
    price: int = 0
    expires_at: datetime | None = None
    decisions: list[Any] | None = None
    lines: list[Any] | None = None
    unique_order: bool = False
    beside: tuple[Grant, ...] = ()

    @property
    def _order(self) -> tuple[UUID, str, str] | None:
        unique = self.unique_order and self.order_ref
        return (self.merchant_id, str(self.order_ref), OperationKind.EARN.value) if unique else None

    def needs(self, needs: Needs) -> None:
        """Also who booked the order, where orders are unique (R12)."""
        _AtMerchant.needs(self, needs)
        if self._order:
            needs.orders.add(self._order)

    def decide(self, books: Books) -> Effect:
        """An entry and a lot a currency. Raises MemberNotActive, DuplicateOrder, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        if self.points < 0:
            raise InvalidInput(reason="points must not be negative", path=("points",))
        order = self._order
        if order is not None and (first := books.orders.get(order)) is not None:
            raise DuplicateOrder(order=self.order_ref, operation=str(first), path=("orderRef",))
        require_room(books, self.holder_id, self.currency, self.points)
        effect = self.effect(OperationKind.EARN, self.points, decisions=self.decisions, lines=self.lines)
        if self.points:
            effect.entries.append(_entry(self.currency, self.points, self.issuer_id, AccountKind.ISSUANCE))
            effect.lots.append(
                _lot(effect, self.currency, self.points, self.expires_at, self.issuer_id, self.funder_id, self.price)
            )
        for grant in self.beside:
            self._grant(books, effect, grant)
        if order is not None:
            effect.order = order
            row = {"merchant_id": order[0], "order_ref": order[1], "kind": order[2]}
            row |= {"holder_id": self.holder_id, "operation_id": effect.operation["id"]}
            effect.rows.append((OrderReference.__table__, row))  # type: ignore[arg-type]
        return self.ride(books, effect)

    def _grant(self, books: Books, effect: Effect, grant: Grant) -> None:
        require_room(books, self.holder_id, grant.currency, grant.points)
        own = self.merchant_id
        effect.entries.append(_entry(grant.currency, grant.points, own, AccountKind.ISSUANCE))
        effect.lots.append(_lot(effect, grant.currency, grant.points, grant.expires_at, own, own, 0))


@dataclass(slots=True, kw_only=True)
class Redeem(_AtMerchant):
    """Spend `points` of `currency`, by R1's order."""

    currency: str
    issuer_id: UUID
    points: int
    decisions: list[Any] | None = None

    def needs(self, needs: Needs) -> None:
        """Also the wallet's open lots."""
        _AtMerchant.needs(self, needs)
        needs.wallets.add((self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect | None:
        """One entry and its allocations. Raises MemberNotActive, InsufficientPoints."""
        books.require_active(self.holder_id)
        return self.spend(books, take(books, self.holder_id, self.currency, self.points, self.as_of))

    def spend(self, books: Books, taken: Taken) -> Effect:
        """The effect of spending these parts of lots."""
        points = sum(part for _, part in taken)
        effect = self.effect(OperationKind.REDEEM, points, decisions=self.decisions)
        if points:
            effect.entries.append(_entry(self.currency, -points, self.issuer_id, AccountKind.REDEMPTION))
        effect.allocations.extend((lot, -part) for lot, part in taken)
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class Exchange(_AtMerchant):
    """Give `points` of `currency` (issued by `issuer_id`) for `into_points` of `into_currency`, at once.

    The new lots are issued by `into_issuer_id`, paid for by `issuer_id` at `into_price`, and live until the earlier
    of `into_expires_at` and the lots they came from (A3 b).
    """

    currency: str
    issuer_id: UUID
    points: int
    into_currency: str
    into_issuer_id: UUID
    into_points: int
    into_price: int = 0
    into_expires_at: datetime | None = None
    decisions: list[Any] | None = None

    def needs(self, needs: Needs) -> None:
        """Also the open lots of the wallet that pays."""
        _AtMerchant.needs(self, needs)
        needs.wallets.add((self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect:
        """Two entries. Raises MemberNotActive, InsufficientPoints, BalanceLimitExceeded."""
        books.require_active(self.holder_id)
        if self.into_points <= 0:
            raise InvalidInput(reason="points must be positive", path=("pointsIn",))
        if self.into_expires_at is not None and self.into_expires_at <= self.as_of:
            raise InvalidInput(reason=f"points of {self.into_currency} no longer live", path=("to",))
        taken = take(books, self.holder_id, self.currency, self.points, self.as_of)
        require_room(books, self.holder_id, self.into_currency, self.into_points)
        effect = self.effect(OperationKind.EXCHANGE, self.points, decisions=self.decisions)
        effect.entries.append(_entry(self.currency, -self.points, self.issuer_id, AccountKind.EXCHANGE))
        effect.entries.append(_entry(self.into_currency, self.into_points, self.into_issuer_id, AccountKind.EXCHANGE))
        effect.allocations.extend((lot, -part) for lot, part in taken)
        for part, expiry in exchanged_lots(taken, self.into_points, self.into_expires_at):
            effect.lots.append(
                _lot(effect, self.into_currency, part, expiry, self.into_issuer_id, self.issuer_id, self.into_price)
            )
        effect.data["points_in"] = self.into_points
        return self.ride(books, effect)


@dataclass(slots=True, kw_only=True)
class Expire(Request):
    """Book the expiry of all lots of one wallet that are past their date; nothing to do is no operation.

    What is held waits for its hold (R14).
    """

    currency: str
    issuer_id: UUID

    def needs(self, needs: Needs) -> None:
        """The wallet's open lots."""
        needs.wallets.add((self.holder_id, self.currency))

    def decide(self, books: Books) -> Effect | None:
        """One entry against the issuer's breakage; None where nothing is due."""
        due = [
            (lot, -lot.free)
            for lot in books.open_lots(self.holder_id, self.currency)
            if lot.free and not lot.is_live(self.as_of)
        ]
        if not due:
            return None
        points = -sum(part for _, part in due)
        effect = effect_of(self, OperationKind.EXPIRE, self.issuer_id, points)
        effect.entries.append(_entry(self.currency, -points, self.issuer_id, AccountKind.BREAKAGE))
        effect.allocations.extend(due)
        return effect


@dataclass(slots=True, kw_only=True)
class Reverse(Request):
    """Undo an operation, or the part of it that is `asked` (R18 to R22).

    `clawback` is each issuer's mode for a reversed earn (R21); never below zero where it names none. `floors` says how
    much a wallet of a currency may come to owe where the mode is unlimited (R17): None is without end; `endless` are
    the currencies that go with the earn whatever the mode (R24). `worth` says what the original's rules give for what
    is kept; without it, points belong to what was bought in proportion.
    """

    operation_id: UUID
    clawback: Mapping[UUID, str] = field(default_factory=dict)
    floors: Mapping[str, int | None] = field(default_factory=dict)
    endless: Set[str] = frozenset()
    note: str | None = None
    asked: Asked = EVERYTHING
    worth: Valuing | None = None

    def needs(self, needs: Needs) -> None:
        """The operation, with what it did; its wallets come with it."""
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))
        if self.asked.order is not None:
            needs.operations.add((self.holder_id, self.asked.order))
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """The opposite entries. Raises NotFound, NotReversible, AlreadyReversed, and as `give_back` does."""
        books.require_active(self.holder_id)
        original = books.operation(self.holder_id, self.operation_id)
        if original is None:
            raise NotFound(what="operation", path=("operation",))
        if original.reverses is not None or original.kind not in _UNDO:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        place = {"store": original.store, "channel": original.channel, "order_ref": original.order_ref}
        effect = effect_of(self, OperationKind.REVERSAL, original.merchant_id, points=0, reverses=original.id, **place)
        effect.reverses = original
        _UNDO[original.kind](self, books, original, effect)
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        for rider in self.riders:
            rider.ride(books, effect)
        return effect

    def _kept(self, original: PastOperation, bought: Sequence[Any] | None, points: int) -> Kept:
        """What is kept of what was bought after this return; `points` are left to undo. Raises as `give_back` does."""
        kept = kept_after(order_of(bought), original.returns)
        last = original.returns[-1].operation_id if original.returns else None
        give_back(kept, self.asked, points, last)
        return kept

    def _returned(
        self,
        effect: Effect,
        taken: Mapping[int, int],
        *,
        beside: Mapping[str, Sequence[int]] | None = None,
        **figures: Any,
    ) -> None:
        """Keep what came back beside the reversal; `taken` are quantities of lines."""
        what = named(taken, self.asked, beside)
        effect.returned = return_of(effect.operation["id"], what, recovered=effect.points, **figures)
        row = {"holder_id": self.holder_id, "operation_id": effect.operation["id"], "returned": what, **figures}
        effect.rows.append((OperationReturn.__table__, row))  # type: ignore[arg-type]

    def _undo_earn(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Take back, of each currency, what the rules do not give for what is kept, as its mode says.

        The shortfall is forgotten. Of the currency of its first entry an operation says how many points it granted.
        """
        main, *others = dict.fromkeys(entry.currency for entry in original.entries) or [""]
        granted, before = original.granted(main), sum(one.undone for one in original.returns)
        kept = self._kept(original, original.bought, granted - before)
        undone, whole = undone_of_earn(granted, kept, self._worth(original, kept, main), kept.points)
        effect.points, due = self._take_back(books, original, effect, main, undone)
        effect.data |= {"taken": effect.points, "shortfall": due - effect.points}
        beside = {}
        for currency in others:
            its, gone_before = original.granted(currency), original.undone(currency)
            share = its * kept.points // granted
            less, _ = undone_of_earn(its, kept, 0 if whole else self._worth(original, kept, currency), share)
            _, asked = self._take_back(books, original, effect, currency, less)
            beside[currency] = [max(0, less - gone_before), asked]
        self._returned(effect, kept.taken, beside=beside, undone=max(0, undone - before), due=due, whole=whole)

    def _worth(self, original: PastOperation, kept: Kept, currency: str) -> int:
        if self.worth is not None:
            return self.worth(original, kept, currency)
        return proportional(original.granted(currency), kept)

    def _take_back(
        self, books: Books, original: PastOperation, effect: Effect, currency: str, undone: int
    ) -> tuple[int, int]:
        """Take a currency's lots back, of which `undone` points are to be in all: how many were, and were due."""
        lots = [lot for lot in original.lots if lot.currency == currency]
        due = max(0, undone - gone(lots, self.as_of) - original.due(currency))
        taken: Taken = []
        mode = self._mode(lots[0]) if lots else "none"
        if mode != "none":
            taken, _ = clawback(lots, books.open_lots(self.holder_id, currency), due, self.as_of)
        points = sum(part for _, part in taken)
        effect.allocations.extend((lot, -part) for lot, part in taken)
        if mode == "unlimited" and points < due:
            points += self._owe(books, effect, lots[0], due - points)
        if points:
            effect.entries.append(_back(original, currency, -points))
        return points, due

    def _mode(self, lot: LotState) -> str:
        return "unlimited" if lot.currency in self.endless else self.clawback.get(lot.issuer_id, "never_below_zero")

    def _owe(self, books: Books, effect: Effect, lot: LotState, missing: int) -> int:
        """How much of what is missing the wallet comes to owe; nothing for points that another merchant paid for."""
        floor = self.floors.get(lot.currency, 0) if lot.funder_id == lot.issuer_id else 0
        points = debts.room(books, self.holder_id, lot.currency, floor, missing)
        if points:
            debts.owe(effect, lot.currency, points)
        return points

    def _undo_redeem(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Put the points back into the very lots (R20); where the date has passed they come back expired."""
        spent = -original.entries[0].amount
        left = spent - sum(one.undone for one in original.returns)
        effect.points, taken = self._to_restore(books, original, spent, left)
        parts = put_back(original.allocations, original.restored, effect.points)
        if effect.points:
            effect.entries.append(_back(original, original.entries[0].currency, effect.points))
            effect.allocations.extend(parts)
        expired = sum(part for lot, part in parts if not lot.is_live(self.as_of))
        effect.data |= {"restored": effect.points, "expired": expired}
        self._returned(effect, taken, undone=effect.points, due=effect.points, whole=effect.points == left)

    def _to_restore(
        self, books: Books, original: PastOperation, spent: int, left: int
    ) -> tuple[int, Mapping[int, int]]:
        """Points of a redemption that come back: as many as asked, or by the share of the order that does (R23).

        For these points lines come back once, whatever came back for what the order earned: they are two decisions.
        """
        if self.asked.lines is None and self.asked.amount is None:
            give_back(Kept(Order(), []), self.asked, left, None)
            return left if self.asked.points is None else self.asked.points, {}
        order = books.operation(self.holder_id, self.asked.order) if self.asked.order else None
        if order is None:
            path = ("amount" if self.asked.lines is None else "lines",)
            raise InvalidInput(reason="points that were spent come back by number: give points", path=path)
        kept = self._kept(original, order.bought, 0)
        return min(left, max(0, undone_of_redemption(spent, kept) - (spent - left))), kept.taken

    def _undo_adjust(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """What was given by hand is taken back as an earn is; what was taken returns to its lots."""
        undo = self._undo_earn if original.lots else self._undo_redeem
        undo(books, original, effect)

    def _undo_exchange(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Take the points in back out of their lots, which must be whole, and restore the points out."""
        if not self.asked.everything:
            raise InvalidInput(reason="an exchange is undone whole", path=("operation",))
        granted = sum(lot.granted for lot in original.lots)
        whole = available(original.lots, self.as_of)
        if whole < granted:
            raise InsufficientPoints(available=whole, requested=granted, path=("operation",))
        _restore(original, effect)
        effect.allocations.extend((lot, -lot.granted) for lot in original.lots)
        effect.points = -original.entries[0].amount
        effect.data |= {"restored": effect.points, "taken": granted}


_UNDO = {
    OperationKind.EARN.value: Reverse._undo_earn,
    OperationKind.REDEEM.value: Reverse._undo_redeem,
    OperationKind.EXCHANGE.value: Reverse._undo_exchange,
    OperationKind.ADJUST.value: Reverse._undo_adjust,
    OperationKind.OPENING.value: Reverse._undo_earn,
}


def effect_of(request: Request, kind: OperationKind, merchant_id: UUID, points: int, **more: Any) -> Effect:
    """An effect with nothing in it but the operation, under the request's holder; `more` are columns of it."""
    operation = {
        "holder_id": request.holder_id,
        "id": new_id(),
        "kind": kind.value,
        "merchant_id": merchant_id,
        "client_id": request.client_id,
        "store": None,
        "channel": None,
        "order_ref": None,
        "occurred_at": request.occurred_at,
        "as_of": request.as_of,
        "reverses": None,
        "decisions": None,
        "lines": None,
    }
    operation.update(more)
    return Effect(operation=operation, points=points)


def _entry(currency: str, amount: int, counter_holder_id: UUID, counter: AccountKind) -> EntryState:
    return EntryState(POINTS, currency, amount, counter_holder_id, counter.value)


def _lot(
    effect: Effect, currency: str, points: int, expires_at: datetime | None, issuer: UUID, funder: UUID, price: int
) -> LotState:
    return LotState(
        effect.holder_id,
        new_id(),
        currency,
        effect.operation["id"],
        issuer,
        funder,
        price,
        points,
        points,
        effect.operation["as_of"],
        expires_at,
    )


def take(books: Books, holder_id: UUID, currency: str, points: int, as_of: datetime) -> Taken:
    """Allocate a debit of a wallet; what it owes is not spent (R17). Raises InvalidInput, InsufficientPoints."""
    if points > 0 and books.debts and points > (have := books.spendable(holder_id, currency, as_of)):
        raise InsufficientPoints(available=have, requested=points, path=("points",))
    return take_of(books.open_lots(holder_id, currency), points, as_of)


def take_of(lots: Sequence[LotState], points: int, as_of: datetime) -> Taken:
    """Allocate a debit of these lots, by R1. Raises InvalidInput, InsufficientPoints."""
    if points <= 0:
        raise InvalidInput(reason="points must be positive", path=("points",))
    if (have := available(lots, as_of)) < points:
        raise InsufficientPoints(available=have, requested=points, path=("points",))
    return allocate(lots, points, as_of)


def _back(original: PastOperation, currency: str, amount: int) -> EntryState:
    """Points that go back between the accounts of the original's entry of that currency."""
    entry = next(entry for entry in original.entries if entry.currency == currency)
    return EntryState(POINTS, currency, amount, entry.counter_holder_id, entry.counter_account)


def _restore(original: PastOperation, effect: Effect) -> None:
    """The opposite of the original's entries and allocations."""
    effect.entries.extend(_opposites(original.entries))
    effect.allocations.extend((lot, -part) for lot, part in original.allocations)


def _opposites(entries: Iterable[EntryState]) -> Iterable[EntryState]:
    for entry in entries:
        yield EntryState(entry.account, entry.currency, -entry.amount, entry.counter_holder_id, entry.counter_account)


def note_row(effect: Effect, note: str) -> tuple[Table, dict[str, Any]]:
    """Why, in words: kept apart from the operation."""
    row = {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "note": note}
    return OperationNote.__table__, row  # type: ignore[return-value]


def require_room(books: Books, holder_id: UUID, currency: str, points: int) -> None:
    """Raises BalanceLimitExceeded where a credit would take the wallet past what clients can read exactly."""
    if books.posted(holder_id, POINTS, currency) + points > MAX_INTEGER:
        raise BalanceLimitExceeded(limit=MAX_INTEGER, path=("points",))
