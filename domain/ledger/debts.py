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


def owe(effect: Effect, lot: LotState, points: int) -> None:
    """Let the operation's holder owe `points`, for the earn that it reverses, of which this is a lot."""
    operation, currency = effect.operation, lot.currency
    funding = None if lot.agreement_version is None else funding_of(lot)
    effect.owes.append(DebtState(effect.holder_id, operation["id"], currency, points, operation["reverses"], funding))
    row = {
        "holder_id": effect.holder_id,
        "operation_id": effect.operation["id"],
        "currency": currency,
        "points": points,
    }
    effect.rows.append((_DEBT, row))


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
                effect.pays.append((debt, paid))
                row = {"holder_id": holder_id, "operation_id": effect.operation["id"], "currency": currency}
                effect.rows.append((_PAYMENT, row | {"debt_id": debt.operation_id, "points": paid}))
                if books.recovery is not None and debt.earn_id is not None:
                    books.recovery.ride(books, effect, (holder_id, debt.earn_id), currency, paid)
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
