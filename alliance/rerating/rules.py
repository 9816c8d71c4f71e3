"""What lines should have come to at the right prices (A11): pure functions. Millionths, prices in 10^-8."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from alliance.agreements.book import AgreementVersion, EarnTerms, Event, Fee
from alliance.clearing.model import ObligationKind
from alliance.clearing.rules import PRICE_OF_MILLIONTHS, share_of
from alliance.disputes.rules import Place


class Priced(StrEnum):
    """What has a price: a kind of line, and apart from a used right one that was booked and not used."""

    EARN = "EARN"
    SPEND = "SPEND"
    EXCHANGE = "EXCHANGE"
    FUNDING = "FUNDING"
    BREAKAGE = "BREAKAGE"
    RIGHT = "RIGHT"
    NO_SHOW = "NO_SHOW"


class Why(StrEnum):
    """Why a line is left as it is, for people to look at."""

    NO_PRICE = "NO_PRICE"
    CORRECTED = "CORRECTED"
    DISPUTED = "DISPUTED"
    OTHER_DAYS = "OTHER_DAYS"
    RERATED_LATER = "RERATED_LATER"
    FEE = "FEE"


@dataclass(frozen=True, slots=True)
class Billed:
    """A line, and what it comes to by now: less or more than it was booked at, where it was re-rated."""

    place: Place
    cycle_id: uuid.UUID
    kind: str
    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    currency: str
    points: int
    price: int | None
    amount: int
    version: int
    booked_price: int | None
    booked: int
    left: Why | None = None


@dataclass(slots=True)
class Unit:
    """What an operation made owed under one agreement, `own`; and what took of it back, in the order of booking."""

    no_show: bool = False
    own: list[Billed] = field(default_factory=list)
    backs: list[Billed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Repriced:
    """A line with what it should come to; the same as it does, or with `left` why nobody can tell."""

    line: Billed
    price: int | None
    amount: int
    left: Why | None = None

    @property
    def changed(self) -> bool:
        """Whether it is to be put right."""
        return self.left is None and self.amount != self.line.amount


_EVENTS: dict[str, Event] = {
    ObligationKind.EARN: "earn",
    ObligationKind.SPEND: "redeem",
    ObligationKind.EXCHANGE: "exchange",
    ObligationKind.RIGHT: "right",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The right prices: of `version`, or `prices` by what is priced and the currency.

    `versions` are all of the agreement, by number; `issuers` are those of currencies, and who grants which rights.
    """

    versions: Mapping[int, AgreementVersion]
    issuers: Mapping[str, uuid.UUID]
    version: AgreementVersion | None = None
    prices: Mapping[tuple[Priced, str], int] = field(default_factory=dict)

    def right(self, line: Billed, no_show: bool) -> int | None:
        """What a point of the line should have cost its debtor; None where nothing is said."""
        priced = Priced.NO_SHOW if no_show and line.kind == ObligationKind.RIGHT else Priced(line.kind)
        if self.version is None:
            return self.prices.get((priced, line.currency))
        return self._of_version(self.version, priced, line)

    def _of_version(self, version: AgreementVersion, priced: Priced, line: Billed) -> int | None:
        if priced is Priced.SPEND:
            return _one(item.owed for item in version.redeem.values() if item.currency == line.currency)
        if priced is Priced.EXCHANGE:
            made = [item for item in version.exchange.values() if item.source == line.currency]
            return _one(item.owed for item in made if self.issuers.get(item.target) == line.creditor_id)
        if priced in (Priced.RIGHT, Priced.NO_SHOW):
            kind = line.currency.partition("/")[2]
            place = (line.debtor_id, line.creditor_id, kind)
            rights = [item for item in version.rights if (item.grantor, item.at, item.kind) == place]
            return _one(item.no_show if priced is Priced.NO_SHOW else item.price for item in rights)
        terms = earned_by(version, line.currency)
        if terms is None:
            return None
        owed = {Priced.EARN: terms.at_issue, Priced.FUNDING: terms.at_use, Priced.BREAKAGE: terms.at_end}[priced]
        # What is agreed of the end of points is what their funder owes: below zero, the issuer does.
        back = priced is Priced.BREAKAGE and line.debtor_id == self.issuers.get(line.currency)
        return (-owed if back else owed) * PRICE_OF_MILLIONTHS

    def whole(self, event: Event, line: Billed, no_show: bool, right: bool) -> int | None:
        """What a point, of which `line` is the fee, makes owed in all, in millionths: also what is owed later."""
        version = self.versions.get(line.version)
        if version is None:
            return None
        parts = (Priced.EARN, Priced.FUNDING) if event == "earn" else (_PRICED[event],)
        if event == "right" and no_show:
            parts = (Priced.NO_SHOW,)
        owed = 0
        for priced in parts:
            asked = self._like(line, priced)
            old = self._of_version(version, priced, asked)
            new = self.right(asked, no_show) if right else None
            found = old if new is None else new
            if found is None:
                return None
            owed += found // PRICE_OF_MILLIONTHS
        return owed

    def _like(self, fee: Billed, priced: Priced) -> Billed:
        """The line on which a fee was taken, as far as its price depends on it."""
        kind = ObligationKind.RIGHT if priced is Priced.NO_SHOW else ObligationKind(priced)
        issuer = self.issuers[fee.currency]
        other = next(party for party in self.versions[fee.version].merchants if party != issuer)
        return replace(fee, kind=kind, debtor_id=issuer, creditor_id=other)


_PRICED: dict[Event, Priced] = {"redeem": Priced.SPEND, "exchange": Priced.EXCHANGE, "right": Priced.RIGHT}


def earned_by(version: AgreementVersion, currency: str) -> EarnTerms | None:
    """By what a partner grants these points: of two merchants, one is their issuer."""
    return next((terms for (_, code), terms in version.earn.items() if code == currency), None)


def _one(owed: Iterable[int]) -> int | None:
    """The price (10^-8) that all say, of millionths a point; None where they do not agree, or nobody says anything."""
    found = set(owed)
    return found.pop() * PRICE_OF_MILLIONTHS if len(found) == 1 else None


def reprice(unit: Unit, terms: Terms) -> Iterator[Repriced]:
    """What each line of a unit should come to: at the right prices, fees by their share of that.

    What was taken back of a line is put right with it. A fee whose share nobody can tell is left, and so are lines
    that somebody else put right.
    """
    for line in [*unit.own, *unit.backs]:
        if line.kind != ObligationKind.FEE:
            yield _priced(line, terms.right(line, unit.no_show))
    payers: dict[uuid.UUID, tuple[list[Billed], list[Billed]]] = defaultdict(lambda: ([], []))
    for place, lines in enumerate((unit.own, unit.backs)):
        for line in lines:
            if line.kind == ObligationKind.FEE:
                payers[line.debtor_id][place].append(line)
    event: Event = next((_EVENTS[line.kind] for line in unit.own if line.kind in _EVENTS), "earn")
    for payer, (fees, backs) in payers.items():
        yield from _fees(unit, terms, event, payer, fees, backs)


def _priced(line: Billed, price: int | None) -> Repriced:
    if line.left is not None:
        return Repriced(line, None, line.amount, line.left)
    if price is None:
        return Repriced(line, None, line.amount, Why.NO_PRICE)
    return Repriced(line, price, line.points * price // PRICE_OF_MILLIONTHS)


def _fees(
    unit: Unit, terms: Terms, event: Event, payer: uuid.UUID, fees: Sequence[Billed], backs: Sequence[Billed]
) -> Iterator[Repriced]:
    """The fees that one payer paid for an event, and what of them came back."""
    first = (fees or backs)[0]
    old, new = (terms.whole(event, first, unit.no_show, right) for right in (False, True))
    version = terms.versions.get(first.version)
    if version is None or old is None or new is None or not fees:
        for line in [*fees, *backs]:
            yield Repriced(line, None, line.amount, line.left or Why.FEE)
        return
    issuer = terms.issuers[first.currency]
    taken = [fee for fee in version.fee_on(event) if (fee.payer == "issuer") == (payer == issuer)]
    amounts = _exactly(taken, [line.booked for line in fees], first.points, event, old, new)
    if amounts is None:
        fixed = any(fee.amount for fee in taken) or not old
        for line in [*fees, *backs]:
            ratio = None if fixed else share_of(line.booked, Fraction(new, old))
            yield _fee(line, ratio)
        return
    for line, amount in zip(fees, amounts, strict=True):
        yield _fee(line, amount)
    yield from _given_back(backs, fees, sum(amounts))


def _exactly(
    taken: Sequence[Fee], booked: Sequence[int], points: int, event: Event, old: int, new: int
) -> list[int] | None:
    """What these fees come to for so many points at `new` millionths each; None if at `old` they were not as booked."""
    then = [(fee, _fee_on(fee, points, event, old)) for fee in taken]
    kept = [fee for fee, amount in then if amount]
    if [amount for _, amount in then if amount] != list(booked):
        return None
    return [_fee_on(fee, points, event, new) for fee in kept]


def _fee_on(fee: Fee, points: int, event: Event, owed: int) -> int:
    """A fee on an event; that on rights is rounded for each of them."""
    if event == "right":
        return points * (share_of(owed, fee.share) + fee.amount)
    return share_of(points * owed, fee.share) + (fee.amount if points else 0)


def _given_back(backs: Sequence[Billed], fees: Sequence[Billed], new: int) -> Iterator[Repriced]:
    """What came back of fees, had they come to `new` in all: all parts sum to the whole."""
    old, of, before = sum(line.booked for line in fees), fees[0].points, 0
    for line in backs:
        then, now = Fraction(before, of), Fraction(before - line.points, of)
        before -= line.points
        exact = len(fees) == 1 and line.booked == share_of(old, then) - share_of(old, now)
        part = share_of(new, then) - share_of(new, now) if exact else share_of(line.booked, Fraction(new, old))
        yield _fee(line, part)


def _fee(line: Billed, amount: int | None) -> Repriced:
    if line.left is not None or amount is None:
        return Repriced(line, None, line.amount, line.left or Why.FEE)
    return Repriced(line, None, amount)
