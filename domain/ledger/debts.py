"""Debts (R17): where a wallet may go below zero, what is missing is a debt lot, which later credits pay first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain.ledger.funding import funding_of
from domain.ledger.model import Debt, DebtPayment
from domain.ledger.request import Books, DebtState, Effect
from domain.ledger.rules import LotState, spend_order

_DEBT: Any = Debt.__table__
_PAYMENT: Any = DebtPayment.__table__


def room(books: Books, holder_id: UUID, currency: str, floor: int | None, points: int) -> int:
    """How much of `points` may be owed: the debt stays within `floor`; None is without end."""
    if floor is None:
        return points
    return max(0, min(points, floor - books.debt(holder_id, currency)))


def owe(effect: Effect, lot: LotState, points: int, holder_id: UUID | None = None) -> None:
    """Let the operation's holder, or whom that was merged into, owe `points`: for the earn that it reverses, of which
    this is a lot."""
    operation = effect.operation
    funding = None if lot.agreement_version is None else funding_of(lot)
    owes = DebtState(effect.holder_id, operation["id"], lot.currency, points, operation["reverses"], funding)
    if holder_id is not None and holder_id != effect.holder_id:
        owes.holder_id, owes.source = holder_id, (effect.holder_id, operation["id"])
    record(effect, owes)


def record(effect: Effect, debt: DebtState) -> None:
    """The operation makes this debt."""
    effect.owes.append(debt)
    row = {"holder_id": debt.holder_id, "operation_id": effect.operation["id"], "currency": debt.currency}
    source_holder_id, source_operation_id = debt.source or (None, None)
    source = {"source_holder_id": source_holder_id, "source_operation_id": source_operation_id}
    effect.rows.append((_DEBT, row | {"points": debt.left} | source))


def settle(effect: Effect, debt: DebtState, points: int) -> None:
    """The operation pays so many points of a debt, or carries them elsewhere."""
    effect.pays.append((debt, points))
    row = {"holder_id": debt.holder_id, "operation_id": effect.operation["id"], "currency": debt.currency}
    effect.rows.append((_PAYMENT, row | {"debt_id": debt.operation_id, "points": points}))


def pay(books: Books, effect: Effect, as_of: datetime) -> None:
    """Let what an operation credits pay what was owed before, oldest first. What comes back expired pays nothing."""
    for (holder_id, currency), debts in books.debts.items():
        if not any(debt.left for debt in debts):
            continue
        credited = _credited(effect, holder_id, currency, as_of)
        for debt in debts:
            paid = 0
            taken = []
            while credited and paid < debt.left:
                lot, amount = credited.pop()
                part = min(amount, debt.left - paid)
                paid += part
                taken.append((lot, part))
                _take_off(effect, lot, part)
                if part < amount:
                    credited.append((lot, amount - part))
            if paid:
                settle(effect, debt, paid)
                if books.recovery is not None and debt.earn is not None:
                    books.recovery.ride(books, effect, debt.earn, currency, paid)
                if books.funder is not None:
                    funded = None if debt.funding is None else (debt.funding, currency)
                    books.funder.recover(books, effect, debt.earn_id, funded, taken)


def _credited(effect: Effect, holder_id: UUID, currency: str, as_of: datetime) -> list[tuple[LotState, int]]:
    """The lots that gain, and how much; last is what would be spent first, and so pays first."""
    gains = [(lot, lot.remaining) for lot in effect.lots] + [pair for pair in effect.allocations if pair[1] > 0]
    mine = [
        (lot, amount)
        for lot, amount in gains
        if lot.holder_id == holder_id and lot.currency == currency and lot.is_live(as_of) and amount
    ]
    return sorted(mine, key=lambda pair: spend_order(pair[0]), reverse=True)


def _take_off(effect: Effect, lot: LotState, part: int) -> None:
    """What pays never reaches its lot, or leaves it at once: an operation has one allocation a lot."""
    before = sum(amount for one, amount in effect.allocations if one is lot)
    effect.allocations = [pair for pair in effect.allocations if pair[0] is not lot]
    if before != part:
        effect.allocations.append((lot, before - part))
