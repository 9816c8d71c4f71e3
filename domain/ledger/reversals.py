"""Undoing what an operation did, or a part of it (R18 to R23)."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.errors import InvalidInput
from domain.ledger import debts, merging, shortfalls
from domain.ledger.change import SOLD, buy_back
from domain.ledger.commands import PENDING, POINTS, Taken, effect_of, note_row
from domain.ledger.errors import AlreadyReversed, InsufficientPoints, NotReversible
from domain.ledger.model import AccountKind, OperationKind, OperationReturn
from domain.ledger.request import Books, Effect, EntryState, Needs, PastOperation, Request
from domain.ledger.restoring import Grace, fault_of, put_into, record_fault
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
from domain.ledger.rules import LotState, PendingState, allocate, available, clawback, gone, put_back


@dataclass(slots=True, kw_only=True)
class Reverse(Request):
    """Undo an operation, or the part of it that is `asked` (R18 to R22).

    `clawback` is each issuer's mode for a reversed earn (R21); never below zero where it names none. `floors` says how
    much a wallet of a currency may come to owe where the mode is unlimited (R17): None is without end; `endless` are
    the currencies that go with the earn whatever the mode (R24). `sold` names, by currency, that of the change which
    forced exits pay: it is taken first (R13). `worth` says what the original's rules give for what is kept; without it,
    points belong to what was bought in proportion.
    """

    operation_id: UUID
    clawback: Mapping[UUID, str] = field(default_factory=dict)
    floors: Mapping[str, int | None] = field(default_factory=dict)
    endless: Set[str] = frozenset()
    note: str | None = None
    asked: Asked = EVERYTHING
    worth: Valuing | None = None
    sold: Mapping[str, str] = field(default_factory=dict)
    grace: Grace | None = None

    def needs(self, needs: Needs) -> None:
        """The operation, with what it did; its wallets come with it. And what exits sold, with their change."""
        for currency, into in self.sold.items():
            needs.other(SOLD, (self.holder_id, currency))
            needs.wallets.add((self.holder_id, into))
        needs.members.add(self.holder_id)
        needs.operations.add((self.holder_id, self.operation_id))
        if self.asked.order is not None:
            needs.operations.add(self.asked.order)
        for rider in self.riders:
            rider.needs(needs)

    def decide(self, books: Books) -> Effect:
        """The opposite entries.

        Raises NotFound, OperationArchived, NotReversible, AlreadyReversed, and as `give_back` does.
        """
        books.require_active(books.heir(self.holder_id))
        original = books.require_operation(self.holder_id, self.operation_id)
        if original.reverses is not None or original.kind not in _UNDO:
            raise NotReversible(kind=original.kind, path=("operation",))
        if original.reversed_by is not None:
            raise AlreadyReversed(operation=str(original.reversed_by), path=("operation",))
        place = {"store": original.store, "channel": original.channel, "order_ref": original.order_ref}
        effect = effect_of(self, OperationKind.REVERSAL, original.merchant_id, points=0, reverses=original.id, **place)
        effect.reverses = original
        _UNDO[original.kind](self, books, original, effect)
        merging.fetch(books, effect)
        if self.note:
            effect.rows.append(note_row(effect, self.note))
        for rider in self.riders:
            rider.ride(books, effect)
        return effect

    def after(self, books: Books, effect: Effect) -> list[Effect]:
        """What comes back of a reversed earn goes to its clawback first."""
        return shortfalls.recover(books, self, effect, self.clawback)

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
        if self.grace is not None:
            what["fault"] = fault_of(effect)
        effect.returned = return_of(effect.operation["id"], what, taken=effect.taken, **figures)
        row = {"holder_id": self.holder_id, "operation_id": effect.operation["id"], "returned": what, **figures}
        effect.rows.append((OperationReturn.__table__, row))  # type: ignore[arg-type]

    def _undo_earn(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Take back, of each currency, what the rules do not give for what is kept, as its mode says.

        The shortfall is forgotten, unless what was spent of these very lots comes back. Of the currency of its first
        entry an operation says how many points it granted.
        """
        if self.grace is not None:
            raise InvalidInput(reason="only points that were spent come back", path=("merchantAtFault",))
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
        """Take a currency back, of which `undone` points are to be in all, what is pending first.

        How many were taken, and how many were due.
        """
        lots = [lot for lot in original.lots if lot.currency == currency]
        waiting = [state for state in original.pending if state.currency == currency]
        own = merging.stand_ins(books, lots)
        due = max(0, undone - gone(own, self.as_of) - original.due(currency))
        mode = self._mode(currency, [state.issuer_id for state in (lots or waiting)])
        dropped = 0 if mode == "none" else _drop_pending(waiting, effect, due)
        taken: Taken = []
        points = 0
        if mode in ("never_below_zero", "unlimited"):
            if lots and currency in self.sold and lots[0].funder_id == lots[0].issuer_id:
                wallet = (self.holder_id, currency)
                points = buy_back(books, effect, wallet, lots[0].issuer_id, due - dropped, self.as_of)
            wallet_now = merging.wallet_of(books, self.holder_id, currency)
            taken, _ = clawback(own, wallet_now, due - dropped - points, self.as_of)
        points += sum(part for _, part in taken)
        effect.allocations.extend((lot, -part) for lot, part in taken)
        if mode == "unlimited" and points + dropped < due:
            points += self._owe(books, effect, lots[0], due - dropped - points)
        if points:
            effect.entries.append(_back(original, currency, -points))
        return points + dropped, due

    def _mode(self, currency: str, issuers: Sequence[UUID]) -> str:
        if not issuers:
            return "none"
        return "unlimited" if currency in self.endless else self.clawback.get(issuers[0], "never_below_zero")

    def _owe(self, books: Books, effect: Effect, lot: LotState, missing: int) -> int:
        """How much of what is missing the wallet comes to owe."""
        heir_id = books.heir(self.holder_id)
        points = debts.room(books, heir_id, lot.currency, self.floors.get(lot.currency, 0), missing)
        if points:
            debts.owe(effect, lot, points, heir_id)
        return points

    def _undo_redeem(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Put the points back into the very lots (R20); where the date has passed they come back expired."""
        spent = -original.entries[0].amount
        left = spent - sum(one.undone for one in original.returns)
        effect.points, taken = self._to_restore(books, original, spent, left)
        parts = put_back(original.allocations, original.restored, effect.points)
        currency = original.entries[0].currency
        if effect.points:
            effect.entries.append(_back(original, currency, effect.points))
        expired = put_into(effect, parts, self.grace(currency) if self.grace is not None else None, self.as_of)
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
        order = books.operation(*self.asked.order) if self.asked.order else None
        if order is None:
            path = ("amount" if self.asked.lines is None else "lines",)
            raise InvalidInput(reason="points that were spent come back by number: give points", path=path)
        kept = self._kept(original, order.bought, 0)
        return min(left, max(0, undone_of_redemption(spent, kept) - (spent - left))), kept.taken

    def _undo_opening(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """As an earn. Stored value that was paid for is undone as a top up is, not out of whatever is in the wallet."""
        if original.entries[0].counter_account == AccountKind.DEPOSIT:
            raise NotReversible(kind=original.kind, path=("operation",))
        self._undo_earn(books, original, effect)

    def _undo_adjust(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """What was given by hand is taken back as an earn is; what was taken returns to its lots."""
        undo = self._undo_earn if original.lots else self._undo_redeem
        undo(books, original, effect)

    def _undo_exchange(self, books: Books, original: PastOperation, effect: Effect) -> None:
        """Take the points in back out of their lots, which must be whole, and restore the points out."""
        if not self.asked.everything:
            raise InvalidInput(reason="an exchange is undone whole", path=("operation",))
        granted = sum(lot.granted for lot in original.lots)
        own = merging.stand_ins(books, original.lots)
        whole = available(own, self.as_of)
        if whole < granted:
            raise InsufficientPoints(available=whole, requested=granted, path=("operation",))
        effect.entries.extend(_opposites(original.entries))
        out = original.entries[0]
        until = self.grace(out.currency) if self.grace is not None else None
        parts = [(lot, -part) for lot, part in original.allocations]
        effect.points = -out.amount
        effect.data["expired"] = put_into(effect, parts, until, self.as_of)
        effect.allocations.extend((lot, -part) for lot, part in allocate(own, granted, self.as_of))
        effect.data |= {"restored": effect.points, "taken": granted}
        if self.grace is not None:
            record_fault(effect, effect.points)


_UNDO = {
    OperationKind.EARN.value: Reverse._undo_earn,
    OperationKind.REDEEM.value: Reverse._undo_redeem,
    OperationKind.EXCHANGE.value: Reverse._undo_exchange,
    OperationKind.ADJUST.value: Reverse._undo_adjust,
    OperationKind.OPENING.value: Reverse._undo_opening,
}


def _back(original: PastOperation, currency: str, amount: int) -> EntryState:
    """Points that go back between the accounts of the original's entry of that currency."""
    entry = next(entry for entry in original.entries if entry.currency == currency)
    return EntryState(POINTS, currency, amount, entry.counter_holder_id, entry.counter_account)


def _drop_pending(waiting: Sequence[PendingState], effect: Effect, points: int) -> int:
    """Take as many of so many points as are pending, the last grants first: how many were."""
    left = points
    for state in reversed(waiting):
        part = min(left, state.remaining)
        if part:
            effect.matured.append((state, -part))
            left -= part
    if dropped := points - left:
        first = waiting[0]
        issuance = AccountKind.ISSUANCE.value
        effect.entries.append(EntryState(PENDING, first.currency, -dropped, first.issuer_id, issuance))
    return dropped


def _opposites(entries: Iterable[EntryState]) -> Iterable[EntryState]:
    for entry in entries:
        yield EntryState(entry.account, entry.currency, -entry.amount, entry.counter_holder_id, entry.counter_account)
