"""What may be objected to (A10): pure functions. Amounts are millionths, prices 10^-8."""

import uuid
from dataclasses import dataclass

from alliance.disputes.model import ObjectionReason
from alliance.settlement.rules import PairNet
from domain.money import MICRO, PRICE, half_even

LARGEST_SHARE = 10
"""One in so many parts of a pair's gross may be in dispute."""

LARGEST = 10**17
"""Millionths that a dispute may be about."""

Place = tuple[uuid.UUID, uuid.UUID, int]
"""Holder, operation and number of a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as far as an objection is about it. `reversed` says whether another line reverses its operation."""

    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    merchant_id: uuid.UUID
    kind: str
    currency: str
    points: int
    price: int | None
    amount: int
    order_ref: str | None
    reverses: bool
    reversed: bool


@dataclass(frozen=True, slots=True)
class Objected:
    """An objection to a line, and what it needs: the price or amount that would be right, the line that is the same."""

    place: Place
    reason: ObjectionReason
    expected: int | None = None
    other: Place | None = None


def is_founded(objected: Objected, line: Line, other: Line | None, merchant_id: uuid.UUID) -> bool:
    """Whether the line is as the objection of this merchant says, as far as a machine can tell.

    A merchant does not know a key: the line is of another's sale. It was billed twice: the other line is the same, of
    another operation. Price or amount are wrong: they are not what the merchant says. It was reversed: another line
    reverses its operation.
    """
    match objected.reason:
        case ObjectionReason.UNKNOWN_KEY:
            return line.merchant_id != merchant_id
        case ObjectionReason.DUPLICATE:
            elsewhere = objected.other is not None and objected.other[1] != objected.place[1]
            return elsewhere and line.order_ref is not None and line == other
        case ObjectionReason.WRONG_PRICE:
            return objected.expected is not None and line.price not in (None, objected.expected)
        case ObjectionReason.WRONG_AMOUNT:
            return objected.expected is not None and line.amount != objected.expected
        case ObjectionReason.ALREADY_REVERSED:
            return line.reversed and not line.reverses


def wanted(objected: Objected, line: Line, merchant_id: uuid.UUID) -> int:
    """What the merchant would have more if it is right, in millionths; below zero where the line is in its favour."""
    right = 0
    if objected.expected is not None and objected.reason == ObjectionReason.WRONG_AMOUNT:
        right = objected.expected
    if objected.expected is not None and objected.reason == ObjectionReason.WRONG_PRICE:
        right = half_even(line.points * objected.expected, PRICE // MICRO)
    return line.amount - right if merchant_id == line.debtor_id else right - line.amount


def most_in_dispute(net: PairNet) -> int:
    """How much of a pair's gross may be in dispute, lines without their sign."""
    return net.gross // LARGEST_SHARE
