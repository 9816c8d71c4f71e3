"""To which payments a receipt belongs. No database.

What names the payment belongs to it, however it is spelt. So does what comes from the payer's account and is what it
owes to the cent. Whatever else fits is proposed, with a score, and a person says whether it is so.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from uuid import UUID

from alliance.banking.references import found

SURE = 95
"""From this score on nobody is asked."""

NEAR_DAYS = 10
MOST_FOR_SUMS = 12
"""Of more payments than that, no sums of several are tried."""


class How(StrEnum):
    """Why a receipt was thought to belong to a payment; BY_HAND: somebody said so."""

    REFERENCE = "REFERENCE"
    ACCOUNT = "ACCOUNT"
    AMOUNT = "AMOUNT"
    MISTYPED = "MISTYPED"
    BY_HAND = "BY_HAND"


Place = tuple[UUID, int]
"""A payment: its cycle, and its number there."""


@dataclass(frozen=True, slots=True)
class Due:
    """A payment that is awaited. `root` is the number that its first part had, which its reference names.

    `done`: it was recorded by hand; what names it is its receipt.
    """

    place: Place
    cycle: int
    root: int
    payer_id: UUID
    amount: int
    due: date
    payer_name: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Came:
    """What came (an amount above zero); from whose account, where that is known."""

    amount: int
    value_date: date
    reference: str = ""
    text: str = ""
    payer_id: UUID | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Parts of a receipt for payments; what they do not use up stays unapplied."""

    parts: tuple[tuple[Place, int], ...]
    how: How
    score: int


class Awaited:
    """Payments that are awaited, found by what a receipt may say of them. What is taken is not awaited any more."""

    def __init__(self, code: str, dues: Iterable[Due]) -> None:
        self._code = code
        self._left = {
            due.place: due for due in sorted(dues, key=lambda due: (due.due, due.cycle, due.root, due.place[1]))
        }
        self._by_reference: dict[tuple[int, int], list[Place]] = defaultdict(list)
        self._by_payer: dict[UUID, list[Place]] = defaultdict(list)
        self._by_amount: dict[int, list[Place]] = defaultdict(list)
        for place, due in self._left.items():
            self._by_reference[due.cycle, due.root].append(place)
            if due.root != place[1]:
                self._by_reference[due.cycle, place[1]].append(place)
            if not due.done:
                self._by_payer[due.payer_id].append(place)
                self._by_amount[due.amount].append(place)

    def take(self, proposal: Proposal) -> None:
        """These payments are matched now, as far as they are."""
        for place, _ in proposal.parts:
            self._left.pop(place, None)

    def best(self, came: Came) -> Proposal | None:
        """To what it belongs most probably; None where nothing fits."""
        named = [*found(self._code, came.reference), *found(self._code, came.text)]
        if named:
            return self._named(came, named)
        return self._from_account(came) or self._mistyped(came) or self._by_sum(came)

    def _known(self, places: Iterable[Place]) -> list[Due]:
        return [self._left[place] for place in dict.fromkeys(places) if place in self._left]

    def _named(self, came: Came, named: Sequence[tuple[int, int]]) -> Proposal | None:
        """What it names, in that order, as far as it goes."""
        dues = self._known(place for one in named for place in self._by_reference.get(one, ()))
        return Proposal(_filled(came.amount, dues), How.REFERENCE, 100) if dues else None

    def _from_account(self, came: Came) -> Proposal | None:
        """What its payer owes: one payment or all of them to the cent surely, some of them perhaps, else the oldest."""
        dues = self._known(self._by_payer.get(came.payer_id, ())) if came.payer_id is not None else []
        if not dues:
            return None
        exact = [due for due in dues if due.amount == came.amount]
        if exact:
            return Proposal(((exact[0].place, came.amount),), How.ACCOUNT, SURE)
        if sum(due.amount for due in dues) == came.amount:
            return Proposal(_filled(came.amount, dues), How.ACCOUNT, SURE)
        for some in _sums(came.amount, dues):
            return Proposal(_filled(came.amount, some), How.ACCOUNT, 90)
        return Proposal(_filled(came.amount, dues), How.ACCOUNT, 60)

    def _mistyped(self, came: Came) -> Proposal | None:
        """A reference with one character wrong, of a payment of just this amount."""
        said = _letters(f"{came.reference} {came.text}")
        near = [
            due
            for due in self._known(self._by_amount.get(came.amount, ()))
            if _has_nearly(said, _letters(f"{self._code}C{due.cycle}P{due.root}"))
        ]
        return Proposal(((near[0].place, came.amount),), How.MISTYPED, 80) if len(near) == 1 else None

    def _by_sum(self, came: Came) -> Proposal | None:
        """The one payment of just this amount that is due about that day."""
        near = [
            due
            for due in self._known(self._by_amount.get(came.amount, ()))
            if abs((due.due - came.value_date).days) <= NEAR_DAYS
        ]
        if came.payer_id is not None or len(near) != 1:
            return None
        alike = bool(came.name) and _letters(came.name) == _letters(near[0].payer_name)
        return Proposal(((near[0].place, came.amount),), How.AMOUNT, 85 if alike else 70)


def _filled(amount: int, dues: Iterable[Due]) -> tuple[tuple[Place, int], ...]:
    """As much for each as there is; what is left over for none."""
    parts = []
    for due in dues:
        part = min(amount, due.amount)
        if part:
            parts.append((due.place, part))
        amount -= part
    return tuple(parts)


def _sums(amount: int, dues: Sequence[Due]) -> Iterable[tuple[Due, ...]]:
    """Some of these that come to an amount, the fewest first; nothing where it is too much to try."""
    if len(dues) <= MOST_FOR_SUMS:
        for size in range(2, len(dues)):
            yield from (some for some in combinations(dues, size) if sum(due.amount for due in some) == amount)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.upper()))


def _has_nearly(said: str, wanted: str) -> bool:
    """Whether somewhere in it one stands, with at most one character in place of another, missing or too many."""
    for size in (len(wanted), len(wanted) - 1, len(wanted) + 1):
        for start in range(len(said) - size + 1):
            if _differ_by_one(said[start : start + size], wanted):
                return True
    return False


def _differ_by_one(one: str, other: str) -> bool:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) <= 1
    short, long = sorted((one, other), key=len)
    return any(short == long[:at] + long[at + 1 :] for at in range(len(long)))
