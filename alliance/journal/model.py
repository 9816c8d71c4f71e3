"""A journal: transactions that sum to zero by commodity, and what an account must come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` of a commodity into an account; a credit is below zero. `place` is the merchant where it happened."""

    account: str
    amount: Decimal
    commodity: str
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What moved on a day, in how many `lines` of the books."""

    day: date
    narration: str
    lines: int
    postings: Sequence[Posting]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account, with those under it, must come to before a day begins, as `source` says: rows that are kept
    beside what the transactions were read from."""

    day: date
    account: str
    amount: Decimal
    commodity: str
    source: str


Record = Transaction | Balance
