"""No money machine (A3 a): loops of exchanges that end with more points than were put in."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from alliance.file.agreement import Agreement, Exchange

Span = tuple[date, date | None, Agreement]
"""From when until before when a version counts."""

Edge = tuple[str, str]
"""An exchange: out of which currency, into which."""

Dates = Collection[date] | None
"""On which days to look; None is all on which terms change."""


@lru_cache(maxsize=65_536)
def number(text: str) -> Fraction:
    """A decimal number, exactly. Thousands of agreements have the same few: each is read once."""
    return Fraction(text)


class Step(NamedTuple):
    """An exchange of a loop, and the version that it stands in."""

    exchange: Exchange
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class MoneyMachine:
    """Exchanges that end where they begin, with more points than were put in, from a date on."""

    since: date
    steps: tuple[Step, ...]
    product: Fraction

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """In the order of the loop."""
        return tuple(step.exchange for step in self.steps)

    def __str__(self) -> str:
        return self.told(None)

    def told(self, merchant: str | None) -> str:
        """In words. A merchant is shown its own exchanges only (A14), and no product: that would give away the rest."""
        seen = [step.exchange for step in self.steps if merchant in (None, *step.agreement.merchants)]
        if len(seen) == len(self.steps):
            loop = " -> ".join([exchange.from_ for exchange in seen] + [seen[0].from_])
            return f"a money machine: from {self.since}, {loop} turns 1 point into {float(self.product):.6g}"
        own = ", ".join(f"{exchange.from_} -> {exchange.to}" for exchange in seen)
        return f"a money machine: from {self.since}, {own} and exchanges of others turn 1 point into more than 1"


def money_machines(agreements: Iterable[Agreement], dates: Dates = None) -> list[MoneyMachine]:
    """The first loop, at each date on which terms change, round which the product of rates is over 1 (A3 a)."""
    found: dict[tuple[str, ...], MoneyMachine] = {}
    for moment, terms in by_date(agreements, dates):
        edges = edges_of(terms)
        loop = _gaining_loop({edge: number(step.exchange.rate) for edge, step in edges.items()})
        if loop is not None:
            steps = tuple(edges[edge] for edge in zip(loop, loop[1:] + loop[:1], strict=True))
            product = Fraction(1)
            for step in steps:
                product *= number(step.exchange.rate)
            found.setdefault(tuple(loop), MoneyMachine(moment, steps, product))
    return list(found.values())


def by_date(agreements: Iterable[Agreement], dates: Dates = None) -> Iterator[tuple[date, list[Agreement]]]:
    """What is in force from each date on which terms change, in order; or on each of these `dates`."""
    spans = spans_of(agreements)
    changes = {moment for start, end, _ in spans for moment in (start, end) if moment is not None}
    for moment in sorted(changes if dates is None else dates):
        yield moment, [terms for start, end, terms in spans if start <= moment and (end is None or moment < end)]


def edges_of(agreements: Iterable[Agreement]) -> dict[Edge, Step]:
    """Their exchanges, by what goes out and what comes in."""
    return {(item.from_, item.to): Step(item, agreement) for agreement in agreements for item in agreement.exchange}


def spans_of(agreements: Iterable[Agreement]) -> list[Span]:
    """From when to when each version counts: a later version of the pair ends the one before."""
    pairs: dict[frozenset[str], list[Agreement]] = defaultdict(list)
    for agreement in agreements:
        pairs[frozenset(agreement.merchants)].append(agreement)
    spans: list[Span] = []
    for versions in pairs.values():
        versions.sort(key=lambda item: item.from_)
        for agreement, following in zip(versions, [*versions[1:], None], strict=True):
            ends = [end for end in (agreement.to, following.from_ if following else None) if end is not None]
            spans.append((agreement.from_, min(ends, default=None), agreement))
    return spans


def _gaining_loop(rates: Mapping[Edge, Fraction]) -> list[str] | None:
    """A loop whose product of rates is over 1, from its first currency by name; None if there is none.

    Bellman and Ford's search, with products for sums: what still improves after as many rounds as there are
    currencies goes round a loop.
    """
    if not rates:
        return None
    currencies = {currency for edge in rates for currency in edge}
    best = dict.fromkeys(currencies, Fraction(1))
    before: dict[str, str] = {}
    improved: str | None = None
    for _ in range(len(currencies)):
        improved = None
        for (source, target), rate in rates.items():
            if best[source] * rate > best[target]:
                best[target], before[target], improved = best[source] * rate, source, target
        if improved is None:
            return None
    assert improved is not None
    for _ in currencies:
        improved = before[improved]
    return rotated(_back_to(improved, before))


def _back_to(currency: str, before: Mapping[str, str]) -> list[str]:
    loop = [currency]
    while before[loop[-1]] != currency:
        loop.append(before[loop[-1]])
    loop.reverse()
    return loop


def rotated(loop: Sequence[str]) -> list[str]:
    """The same loop, from its first currency by name."""
    first = loop.index(min(loop))
    return [*loop[first:], *loop[:first]]
