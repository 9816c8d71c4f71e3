"""No money machine (A3): what rates and prices let someone gain by going round."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from alliance.file.agreement import Agreement, Exchange


@dataclass(frozen=True, slots=True)
class MoneyMachine:
    """Exchanges that end where they begin, with more points than were put in, from a date on."""

    since: date
    exchanges: tuple[Exchange, ...]
    product: Fraction

    def __str__(self) -> str:
        loop = " -> ".join([exchange.from_ for exchange in self.exchanges] + [self.exchanges[0].from_])
        return f"a money machine: from {self.since}, {loop} turns 1 point into {float(self.product):.6g}"


def money_machines(agreements: Iterable[Agreement]) -> list[MoneyMachine]:
    """The first loop, at each date on which terms change, round which the product of rates is over 1 (A3 a)."""
    found: dict[tuple[str, ...], MoneyMachine] = {}
    spans = spans_of(agreements)
    for moment in sorted({moment for start, end, _ in spans for moment in (start, end) if moment is not None}):
        terms = _terms_at(spans, moment)
        edges = {(item.from_, item.to): item for agreement in terms for item in agreement.exchange}
        loop = _gaining_loop({edge: Fraction(item.rate) for edge, item in edges.items()})
        if loop is not None:
            exchanges = tuple(edges[edge] for edge in zip(loop, loop[1:] + loop[:1], strict=True))
            product = Fraction(1)
            for exchange in exchanges:
                product *= Fraction(exchange.rate)
            found.setdefault(tuple(loop), MoneyMachine(moment, exchanges, product))
    return list(found.values())


def subsidies(agreements: Iterable[Agreement]) -> list[str]:
    """Currencies that cost a partner less to issue than their issuer pays for them (A3 c), in words."""
    lowest: dict[str, Fraction] = {}
    highest: dict[str, Fraction] = defaultdict(Fraction)
    for _, end, agreement in spans_of(agreements):
        if end is not None:
            continue
        for earn in agreement.earn:
            price = Fraction(earn.issue_price.amount) * Fraction(earn.share)
            lowest[earn.of] = min(price, lowest.get(earn.of, price))
        for redeem in agreement.redeem:
            highest[redeem.of] = max(highest[redeem.of], Fraction(redeem.redemption_price.amount))
        for exchange in agreement.exchange:
            highest[exchange.from_] = max(highest[exchange.from_], Fraction(exchange.clearing_value.amount))
    return [
        f"{currency} is issued to a partner for as little as {float(price):.6g} a point"
        f" and paid for with up to {float(highest[currency]):.6g}"
        for currency, price in sorted(lowest.items())
        if price < highest[currency]
    ]


def spans_of(agreements: Iterable[Agreement]) -> list[tuple[date, date | None, Agreement]]:
    """From when to when each version counts: a later version of the pair ends the one before."""
    pairs: dict[frozenset[str], list[Agreement]] = defaultdict(list)
    for agreement in agreements:
        pairs[frozenset(agreement.merchants)].append(agreement)
    spans: list[tuple[date, date | None, Agreement]] = []
    for versions in pairs.values():
        versions.sort(key=lambda item: item.from_)
        for agreement, following in zip(versions, [*versions[1:], None], strict=True):
            ends = [end for end in (agreement.to, following.from_ if following else None) if end is not None]
            spans.append((agreement.from_, min(ends, default=None), agreement))
    return spans


def _terms_at(spans: Sequence[tuple[date, date | None, Agreement]], moment: date) -> list[Agreement]:
    return [terms for start, end, terms in spans if start <= moment and (end is None or moment < end)]


def _gaining_loop(rates: Mapping[tuple[str, str], Fraction]) -> list[str] | None:
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
    loop = [improved]
    while before[loop[-1]] != improved:
        loop.append(before[loop[-1]])
    loop.reverse()
    first = loop.index(min(loop))
    return loop[first:] + loop[:first]
