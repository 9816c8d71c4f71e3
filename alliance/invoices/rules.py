"""What an invoice comes to, and interest: pure. Obligations are millionths, invoices and payments minor units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from alliance.clearing.model import ObligationKind
from domain.money import MICRO, half_even

UNTAXED = frozenset({ObligationKind.INTEREST, ObligationKind.LOSS, ObligationKind.TAX})
"""For these nothing was supplied: damages, and tax itself."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Lines of a statement of one kind and price; see `model.InvoiceLine`."""

    kind: str
    adjustment: bool
    currency: str
    price: int | None
    points: int
    count: int
    amount: int

    @property
    def taxed(self) -> bool:
        """Whether there is tax on them, where their issuer has a rate."""
        return self.kind not in UNTAXED


@dataclass(frozen=True, slots=True)
class Totals:
    """`exact` in millionths, the others in minor units."""

    exact: int
    net: int
    tax: int

    @property
    def gross(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def total(lines: Iterable[Sum], rate: int, unit: int) -> Totals:
    """What lines come to: rounded half-even, once, net and tax each. `rate` is millionths, `unit` millionths."""
    lines = list(lines)
    exact = sum(line.amount for line in lines)
    taxed = sum(line.amount for line in lines if line.taxed)
    return Totals(exact, half_even(exact, unit), half_even(taxed * rate, unit * MICRO))


def documents(lines: Iterable[Sum]) -> tuple[Sequence[Sum], Sequence[Sum]]:
    """What goes on an invoice, and what on a credit note: sums above and below zero."""
    kept = [line for line in lines if line.amount]
    return [line for line in kept if line.amount > 0], [line for line in kept if line.amount < 0]


def days_late(paid_on: date, due: datetime, zone: ZoneInfo) -> int:
    """How many days after the last day of paying it was paid. `due` is exclusive, and the end of that day."""
    last = (due - timedelta(microseconds=1)).astimezone(zone).date()
    return max(0, (paid_on - last).days)


def interest(principal: int, days: int, rate: int, basis: int) -> int:
    """Simple interest in millionths, half-even, on millionths, at `rate` millionths a year of `basis` days.

    1,000.00 that comes 10 days late at 8 % of 365 days: 2.191781.
    """
    return half_even(principal * rate * days, MICRO * basis)
