"""What issuers lose on points of their own (A3 c, d): points that they issue for less than they pay for them.

A point is issued to a partner at its issue price, of which the partner pays a share, or for what an exchange brings for
it; it is paid for where it is spent and where it is exchanged. Fees are the operator's, and nobody's gain.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from alliance.file.agreement import Agreement, Earn, Exchange, Redeem, Subsidy
from alliance.file.money_machine import Dates, Edge, by_date, edges_of, number

SENT = 1_000
"""Points sent round a loop, to see what that moves."""


class Route(NamedTuple):
    """How points are issued to a partner or paid for, at what price a point."""

    price: Fraction
    item: Earn | Redeem | Exchange
    agreement: Agreement

    def seen_by(self, merchant: str | None) -> bool:
        """Whether a merchant is a party to it; None is the operator."""
        return merchant in (None, *self.agreement.merchants)

    @property
    def place(self) -> tuple[str, ...]:
        """What it is called within its pair."""
        if isinstance(self.item, Exchange):
            return (*sorted(self.agreement.merchants), self.item.from_, self.item.to)
        return (*sorted(self.agreement.merchants), self.item.at)


@dataclass(frozen=True, slots=True)
class Underpriced:
    """A currency that is issued for less than its issuer pays for it, and where most so, from a date on."""

    since: date
    currency: str
    issued: Route
    paid: Route

    @property
    def part(self) -> tuple[object, ...]:
        """What is the same in two of them that are about the same prices."""
        return self.currency, self.issued.price, self.issued.place, self.paid.price, self.paid.place

    def __str__(self) -> str:
        return self.told(None)

    def told(self, merchant: str | None) -> str:
        """In words. A merchant is shown the prices of its own agreements only (A14)."""
        issued = self._issued() if self.issued.seen_by(merchant) else ""
        paid = self._paid() if self.paid.seen_by(merchant) else ""
        if issued and paid:
            both = f"{issued}, and {paid}"
        else:
            both = f"{issued}, and its issuer pays more for it" if issued else f"{paid}, and issued for less"
        way_out = "which needs a subsidy with a budget in the agreement that issues it"
        return f"from {self.since}, {self.currency} is {both}: {way_out}"

    def _issued(self) -> str:
        item = self.issued.item
        where = f"in exchange for {item.from_}" if isinstance(item, Exchange) else f"at {item.at}"
        return f"issued {where} for {float(self.issued.price):.6g} a point"

    def _paid(self) -> str:
        item = self.paid.item
        where = f"in exchange for {item.to}" if isinstance(item, Exchange) else f"at {item.at}"
        return f"paid for {where} with {float(self.paid.price):.6g}"


@dataclass(frozen=True, slots=True)
class LosesRound:
    """A currency whose issuer loses more on each `SENT` points that go round some loop than it has accepted."""

    since: date
    currency: str
    came: Route
    went: Route
    loss: Fraction

    @property
    def part(self) -> tuple[object, ...]:
        """What is the same in two of them that are about the same prices."""
        return self.currency, self.came.price, self.came.place, self.went.price, self.went.place

    def __str__(self) -> str:
        return self.told(None)

    def told(self, merchant: str | None) -> str:
        """In words. Both exchanges are its issuer's own; others are shown no more than the currency (A14)."""
        if not (self.came.seen_by(merchant) and self.went.seen_by(merchant)):
            return f"from {self.since}, the issuer of {self.currency} loses on what goes round, and has not accepted it"
        assert isinstance(self.came.item, Exchange)
        assert isinstance(self.went.item, Exchange)
        return (
            f"from {self.since}, of {SENT:,} {self.currency} that come from {self.came.item.from_} and go on to"
            f" {self.went.item.to}, round a loop, their issuer loses {float(self.loss):.6g}: past the tolerance"
            " it has to accept that, by a subsidy with perRoundTrip"
        )


def underpriced(agreements: Iterable[Agreement], dates: Dates = None) -> list[Underpriced]:
    """The issues of points for less than is paid for them (A3 c), but for those that a subsidy allows."""
    found: dict[tuple[object, ...], Underpriced] = {}
    for moment, terms in by_date(agreements, dates):
        issued, paid = _issues(terms), _payments(terms)
        for currency, routes in sorted(issued.items()):
            highest = max(paid.get(currency, ()), key=lambda route: route.price, default=None)
            for route in routes:
                if highest is not None and route.price < highest.price and subsidy(route.agreement, currency) is None:
                    breach = Underpriced(moment, currency, route, highest)
                    found.setdefault(breach.part, breach)
    return list(found.values())


def losing_round(agreements: Iterable[Agreement], tolerance: Fraction, dates: Dates = None) -> list[LosesRound]:
    """Who loses more on what goes round a loop than `tolerance`, a part of what it gets, without having accepted it.

    A closed way of exchanges leads through each two that follow one another inside a strongly connected part of them.
    So it is enough to look at these (A3 d).
    """
    found: dict[tuple[object, ...], LosesRound] = {}
    for moment, terms in by_date(agreements, dates):
        edges = edges_of(terms)
        component = _components(edges)
        inside = {edge: step for edge, step in edges.items() if component[edge[0]] == component[edge[1]]}
        leaving: dict[str, Route] = {}
        for (source, _), step in inside.items():
            route = Route(number(step.exchange.clearing_value.amount), *step)
            if source not in leaving or route.price > leaving[source].price:
                leaving[source] = route
        for (_, currency), step in inside.items():
            came, went = Route(_per_point(step.exchange), *step), leaving[currency]
            loss = SENT * (went.price - came.price)
            agreed = subsidy(step.agreement, currency)
            accepted = agreed.per_round_trip if agreed is not None else None
            most = max(tolerance * SENT * came.price, Fraction(accepted.amount if accepted is not None else 0))
            if loss > most:
                breach = LosesRound(moment, currency, came, went, loss)
                found.setdefault(breach.part, breach)
    return list(found.values())


def subsidy(agreement: Agreement, currency: str) -> Subsidy | None:
    """The subsidy of a currency that its issuer accepts in an agreement."""
    return next((item for item in agreement.subsidies if item.of == currency), None)


def _per_point(exchange: Exchange) -> Fraction:
    """What the issuer of the points that come in gets for each of them."""
    return _ratio(exchange.clearing_value.amount, exchange.rate)


@lru_cache(maxsize=65_536)
def _ratio(amount: str, rate: str) -> Fraction:
    return Fraction(amount) / Fraction(rate)


def _issues(agreements: Iterable[Agreement]) -> Mapping[str, list[Route]]:
    found: dict[str, list[Route]] = defaultdict(list)
    for agreement in agreements:
        for earn in agreement.earn:
            price = number(earn.issue_price.amount) * number(earn.share)
            found[earn.of].append(Route(price, earn, agreement))
        for exchange in agreement.exchange:
            found[exchange.to].append(Route(_per_point(exchange), exchange, agreement))
    return found


def _payments(agreements: Iterable[Agreement]) -> Mapping[str, list[Route]]:
    found: dict[str, list[Route]] = defaultdict(list)
    for agreement in agreements:
        for redeem in agreement.redeem:
            found[redeem.of].append(Route(number(redeem.redemption_price.amount), redeem, agreement))
        for exchange in agreement.exchange:
            found[exchange.from_].append(Route(number(exchange.clearing_value.amount), exchange, agreement))
    return found


def _components(edges: Iterable[Edge]) -> dict[str, int]:
    """The strongly connected component of each currency, by Kosaraju's two searches."""
    out: dict[str, list[str]] = defaultdict(list)
    back: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        out[source].append(target)
        back[target].append(source)
    everyone = sorted({*out, *back})
    finished: list[str] = []
    seen: set[str] = set()
    for start in everyone:
        finished += [] if start in seen else _finished(start, out, seen)
    component: dict[str, int] = {}
    for place, start in enumerate(reversed(finished)):
        if start not in component:
            known = set(component)
            component |= dict.fromkeys(_finished(start, back, known), place)
    return component


def _finished(start: str, out: Mapping[str, list[str]], seen: set[str]) -> Iterator[str]:
    """What can be reached from `start` and is not `seen` yet, each after all that it leads to."""
    seen.add(start)
    stack = [(start, iter(out.get(start, ())))]
    while stack:
        currency, targets = stack[-1]
        target = next((target for target in targets if target not in seen), None)
        if target is None:
            stack.pop()
            yield currency
        else:
            seen.add(target)
            stack.append((target, iter(out.get(target, ()))))
