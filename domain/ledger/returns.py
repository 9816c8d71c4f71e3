"""What is left of an operation when parts of it come back (R18, R22). Pure; amounts in minor units.

What is undone depends on what is kept alone: so the order of returns does not matter, and all of them sum to the whole.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.ledger.errors import AlreadyReversed, ReturnExceedsOrder
from domain.money import from_minor, half_even, scaled, to_minor, unscaled

QUANTITY_PLACES = 6
ONE = 1_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What comes back of an operation: lines, an amount of `money` or points; with none of them, all that is left.

    A line is its reference and a quantity in millionths (None: all that is left of it). `order` is the earn, (holder,
    id), whose lines are meant, where points that were spent on it are restored.
    """

    lines: tuple[tuple[str, int | None], ...] | None = None
    amount: int | None = None
    money: str | None = None
    points: int | None = None
    order: tuple[UUID, UUID] | None = None

    @property
    def everything(self) -> bool:
        """Whether all that is left comes back."""
        return self.lines is None and self.amount is None and self.points is None


EVERYTHING = Asked()


@dataclass(frozen=True, slots=True)
class Return:
    """What one reversal undid.

    `quantities` (millionths, by the line's place), `amount` and `points` are what came back. By them the rules undid
    `undone` points, of which `due` were asked of the wallet. `beside` are these of the other currencies that the
    operation granted. `taken` are the points of each currency that were moved for it, or waited and were dropped. After
    `whole`, nothing is left.
    """

    operation_id: UUID
    quantities: Mapping[int, int]
    amount: int
    points: int
    undone: int
    due: int
    taken: Mapping[str, int]
    whole: bool
    beside: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def figures(self, currency: str) -> Sequence[int]:
        """`undone` and `due` of a currency."""
        return self.beside.get(currency, (self.undone, self.due))


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line as it was bought: quantity in millionths, amount in minor units."""

    ref: str | None
    category: str | None
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class Order:
    """The lines of an operation; `paid` is what of their sum was paid in money, None for all. An amount is one line."""

    lines: tuple[OrderLine, ...] = ()
    money: str | None = None
    paid: int | None = None

    @property
    def total(self) -> int:
        """What all lines cost."""
        return sum(line.amount for line in self.lines)


def order_of(kept: Sequence[Any] | None) -> Order:
    """The order as it is kept with its operation, a list: its money, what of it was paid in money (null: all of it),
    then [ref, sku, category, quantity, amount, points] for each line, quantity and amount as they were sent.
    """
    if not kept:
        return Order()
    money, paid, *lines = kept
    return Order(
        tuple(
            OrderLine(ref, category, _quantity(quantity), to_minor(amount, money))
            for ref, _, category, quantity, amount, _ in lines
        ),
        money,
        None if paid is None else to_minor(paid, money),
    )


def _quantity(text: str) -> int:
    """In millionths; what cannot be counted in them is one piece."""
    try:
        return max(0, scaled(text, QUANTITY_PLACES)) or ONE
    except InvalidInput:
        return ONE


@dataclass(slots=True)
class Kept:
    """What of an order is still kept: a quantity a line, less an amount of money and a number of points."""

    order: Order
    quantities: list[int]
    amount: int = 0
    points: int = 0
    whole: bool = False
    taken: dict[int, int] = field(default_factory=dict)

    @property
    def amounts(self) -> list[int]:
        """What the kept part of each line cost, before the amount that came back."""
        pairs = zip(self.order.lines, self.quantities, strict=True)
        return [half_even(line.amount * kept, line.quantity) for line, kept in pairs]

    @property
    def share(self) -> Fraction:
        """The part of `amounts` that is kept: all, unless an amount came back."""
        total = sum(self.amounts)
        return Fraction(max(0, total - self.amount), total) if total else Fraction(1)

    @property
    def money(self) -> Fraction:
        """What is kept, in minor units."""
        return sum(self.amounts) * self.share

    @property
    def nothing(self) -> bool:
        """Whether the whole order came back."""
        lines = bool(self.order.lines) and not any(self.quantities)
        return self.whole or lines or bool(self.amount and not self.money)


Valuing = Callable[[Any, Kept, str], int]
"""The points of a currency that the original's rules give for what is kept; the original is a PastOperation."""


def proportional(granted: int, kept: Kept) -> int:
    """The share of the points that belongs to what is kept, rounded up: a return takes back no more than its share."""
    total = kept.order.total
    return granted if not total else math.ceil(granted * kept.money / total)


def kept_after(order: Order, past: Iterable[Return]) -> Kept:
    """What is kept after these returns."""
    kept = Kept(order, [line.quantity for line in order.lines])
    for one in past:
        for place, quantity in one.quantities.items():
            kept.quantities[place] = max(0, kept.quantities[place] - quantity)
        kept.amount += one.amount
        kept.points += one.points
        kept.whole |= one.whole
    return kept


def give_back(kept: Kept, asked: Asked, points_left: int, last: UUID | None) -> None:
    """Take off what comes back.

    Raises ReturnExceedsOrder for more than is left, AlreadyReversed (naming `last`, a reversal) for a line of which
    nothing is, NotFound for a line that there was not, InvalidInput where lines or an amount mean nothing.
    """
    if asked.everything:
        kept.whole = True
        kept.taken = {place: left for place, left in enumerate(kept.quantities) if left}
        kept.quantities = [0] * len(kept.quantities)
    if asked.lines is not None:
        for number, (ref, quantity) in enumerate(asked.lines):
            _take_line(kept, ref, quantity, last, ("lines", str(number)))
    if asked.amount is not None:
        _take_amount(kept, asked.amount, asked.money)
    if asked.points is not None:
        if asked.points <= 0:
            raise InvalidInput(reason="points must be positive", path=("points",))
        if asked.points > points_left:
            raise ReturnExceedsOrder(left=str(points_left), requested=str(asked.points), path=("points",))
        kept.points += asked.points


def _take_line(kept: Kept, ref: str, quantity: int | None, last: UUID | None, path: tuple[str, ...]) -> None:
    """Lines that share a reference are one: the first goes first."""
    places = [place for place, line in enumerate(kept.order.lines) if line.ref == ref]
    if not places:
        raise NotFound(what=f"line {ref[:40]!r} of the order", path=(*path, "ref"))
    left = sum(kept.quantities[place] for place in places)
    if quantity is not None and quantity <= 0:
        raise InvalidInput(reason="a quantity must be more than zero", path=(*path, "quantity"))
    if not left:
        raise AlreadyReversed(operation=str(last), path=(*path, "ref"))
    rest = left if quantity is None else quantity
    if rest > left:
        raise ReturnExceedsOrder(left=_plain(left), requested=_plain(rest), path=(*path, "quantity"))
    for place in places:
        part = min(rest, kept.quantities[place])
        kept.quantities[place] -= part
        kept.taken[place] = kept.taken.get(place, 0) + part
        rest -= part


def _take_amount(kept: Kept, amount: int, money: str | None) -> None:
    if not kept.order.lines:
        raise InvalidInput(reason="the operation was not valued from an amount: say how many points", path=("amount",))
    if money != kept.order.money:
        raise InvalidInput(reason=f"the order is in {kept.order.money}", path=("amount", "currency"))
    if amount <= 0:
        raise InvalidInput(reason="an amount that comes back is more than zero", path=("amount", "amount"))
    left = int(kept.money)
    if amount > left:
        texts = {"left": from_minor(left, money or ""), "requested": from_minor(amount, money or "")}
        raise ReturnExceedsOrder(**texts, path=("amount", "amount"))
    kept.amount += amount


def _plain(quantity: int) -> str:
    text = unscaled(quantity, QUANTITY_PLACES)
    return text.rstrip("0").rstrip(".") if "." in text else text


def undone_of_earn(granted: int, kept: Kept, worth: int, points: int) -> tuple[int, bool]:
    """The points of an earn that are undone in all, and whether nothing is left.

    `worth` is what the kept part earns, `points` how many came back by number.
    """
    if kept.nothing:
        return granted, True
    undone = min(granted, max(0, granted - worth) + points)
    return undone, bool(points) and undone == granted


def undone_of_redemption(spent: int, kept: Kept) -> int:
    """The points spent on an order that belong to what came back of it, in all; rounded down until nothing is left."""
    total = kept.order.total
    if kept.nothing or not total:
        return spent if kept.nothing else 0
    return int(spent * (total - kept.money) / total)


def named(taken: Mapping[int, int], asked: Asked, beside: Mapping[str, Sequence[int]] | None = None) -> dict[str, Any]:
    """What came back, as JSON: `[place, quantity in millionths]` a line, the amount in minor units, points.

    `beside`, where there is any: by currency the points undone and due.
    """
    what = {"lines": [*taken.items()], "amount": asked.amount or 0, "points": asked.points or 0}
    return what | {"beside": dict(beside)} if beside else what


def return_of(operation_id: UUID, named: Mapping[str, Any], **figures: Any) -> Return:
    """The opposite of `named`."""
    quantities = dict(named["lines"])
    beside = named.get("beside", {})
    return Return(operation_id, quantities, named["amount"], named["points"], beside=beside, **figures)
