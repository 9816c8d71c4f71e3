"""Earning rules, and their compiled form: per span of time, what a minor unit of money gives in each category.

Of the rules that match a line, those that do not stack compete and the highest priority wins (then the first code);
those that stack all count. Rules with `points` give points for money; rules with a `multiplier` then add (m - 1) times
what those give, before rounding. Each rule rounds what it gives, so the listed points add up. Rules with a `bonus` give
it once an order, all of them that are reached.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import lcm
from typing import Literal

from domain.money import half_even
from domain.programs.terms import RuleTerms

RoundingMode = Literal["floor", "half_up", "half_even", "ceiling"]
RoundingScope = Literal["line", "order"]

ROUND: Mapping[RoundingMode, Callable[[int, int], int]] = {
    "floor": lambda value, unit: value // unit,
    "half_up": lambda value, unit: (2 * value + unit) // (2 * unit),
    "half_even": half_even,
    "ceiling": lambda value, unit: -(-value // unit),
}


BOUGHT_VALUE = "STORED_VALUE"
"""The category of lines that buy stored value: they earn nothing, whatever the rules say (L5)."""


@dataclass(frozen=True, slots=True)
class EarningRule:
    """One version of a rule: it has a rate, a multiplier or a bonus.

    `rate` is points a minor unit of `money`. `bonus` points are given where the lines meant cost `least` minor units of
    `money` or more. `cap`: the most points that it gives for one order. `beside`: it gives another currency of the
    merchant's than its default, beside whatever points a purchase earns. `tiers`: for members of these alone.
    `by_price`: the whole price of a line counts, however it was paid (R8).
    """

    code: str
    version: int
    currency: str
    valid_from: datetime
    valid_to: datetime | None
    rate: Fraction | None
    money: str | None
    multiplier: Fraction | None
    rounding: tuple[RoundingMode, RoundingScope] | None
    priority: int
    stacks: bool
    categories: frozenset[str] | None
    excluded: frozenset[str]
    bonus: int | None = None
    least: int = 0
    cap: int | None = None
    beside: bool = False
    terms: RuleTerms | None = None
    tiers: frozenset[str] | None = None
    by_price: bool = False

    def in_force(self, moment: datetime) -> bool:
        """Whether `moment` lies in this version's time."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

    def matches(self, category: str | None) -> bool:
        """Whether a line of `category` (None: one that no rule names) falls under the rule."""
        return (self.categories is None or category in self.categories) and category not in self.excluded


@dataclass(frozen=True, slots=True)
class Contribution:
    """How one rule turns weights into points: `weight / unit`, rounded by line or by order, up to `cap`.

    With a `bonus` it gives that, where the weights reach `least` units. `by_price`: however a line was paid.
    """

    code: str
    version: int
    unit: int
    round: Callable[[int, int], int]
    by_order: bool
    bonus: int | None = None
    least: int = 0
    cap: int | None = None
    terms: RuleTerms | None = None
    by_price: bool = False


@dataclass(frozen=True, slots=True)
class Tariff:
    """What holds in one span of time: a line's weight under contribution i is its amount times the factor."""

    contributions: tuple[Contribution, ...]
    factors: Mapping[str | None, tuple[tuple[int, int], ...]]
    otherwise: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Earning:
    """All tariffs of a merchant for one points currency and one currency of money, in time order.

    `rules` are all that concern the two, for whatever tier.
    """

    starts: tuple[datetime, ...]
    tariffs: tuple[Tariff, ...]
    rules: tuple[EarningRule, ...]

    def at(self, moment: datetime) -> Tariff | None:
        """The tariff in force at `moment`; None before the first rule begins."""
        index = bisect_right(self.starts, moment)
        return self.tariffs[index - 1] if index else None

    def of(self, versions: Collection[tuple[str, int]]) -> Tariff:
        """The tariff of these versions (code, number), whether or not they are in force at the same time."""
        return _tariff([rule for rule in self.rules if (rule.code, rule.version) in versions])


ByPair = dict[tuple[str, str], "Earning"]
"""The earning of one merchant by (points currency, currency of money)."""


def compile_earning(rules: Iterable[EarningRule], tier: str | None = None) -> ByPair:
    """What a merchant's rules give to members of a tier (None: of none)."""
    rules = list(rules)
    pairs = {(rule.currency, rule.money) for rule in rules if rule.money is not None}
    return {(points, money): _earning(_concerning(rules, points, money), tier) for points, money in pairs}


def compile_tiers(rules: Iterable[EarningRule]) -> dict[str, ByPair]:
    """The same for each tier that a rule names: to all others these give what they give to members of none."""
    rules = list(rules)
    return {tier: compile_earning(rules, tier) for tier in {tier for rule in rules for tier in rule.tiers or ()}}


def _concerning(rules: Sequence[EarningRule], points: str, money: str) -> list[EarningRule]:
    chosen = [rule for rule in rules if rule.currency == points and rule.money in (None, money)]
    return sorted(chosen, key=lambda rule: (rule.multiplier is not None, -rule.priority, rule.code, rule.version))


def _earning(rules: Sequence[EarningRule], tier: str | None) -> Earning:
    starts = sorted({moment for rule in rules for moment in (rule.valid_from, rule.valid_to) if moment is not None})
    its = [rule for rule in rules if rule.tiers is None or tier in rule.tiers]
    tariffs = tuple(_tariff([rule for rule in its if rule.in_force(start)]) for start in starts)
    return Earning(tuple(starts), tariffs, tuple(rules))


def _tariff(rules: Sequence[EarningRule]) -> Tariff:
    named = {category for rule in rules for category in (rule.categories or frozenset()) | rule.excluded}
    coefficients = {category: _coefficients(rules, category) for category in (None, *named)}
    units = [lcm(*(given[i].denominator for given in coefficients.values() if i in given)) for i in range(len(rules))]
    factors = {
        category: tuple((i, int(value * units[i])) for i, value in given.items())
        for category, given in coefficients.items()
    }
    factors[BOUGHT_VALUE] = ()
    fallback = next((rule.rounding for rule in rules if rule.rounding is not None), None) or ("floor", "line")
    contributions = []
    for rule, unit in zip(rules, units, strict=True):
        mode, scope = rule.rounding or fallback
        own = (rule.bonus, rule.least, rule.cap, rule.terms, rule.by_price)
        contributions.append(Contribution(rule.code, rule.version, unit, ROUND[mode], scope == "order", *own))
    return Tariff(tuple(contributions), factors, factors[None])


def _coefficients(rules: Sequence[EarningRule], category: str | None) -> dict[int, Fraction]:
    """Points a minor unit that each rule (by its index) gives to a line of `category`; 1 where it counts to a bonus."""
    matching = [(i, rule) for i, rule in enumerate(rules) if rule.matches(category)]
    rated = [(i, rule) for i, rule in matching if rule.rate is not None]
    rates = {i: rule.rate for i, rule in _chosen(rated) if rule.rate is not None}
    base = sum(rates.values(), Fraction(0))
    multipliers = [(i, rule) for i, rule in matching if rule.multiplier is not None]
    extras = {i: (rule.multiplier - 1) * base for i, rule in _chosen(multipliers) if rule.multiplier is not None}
    bonuses = {i: Fraction(1) for i, rule in matching if rule.bonus is not None}
    return (rates | extras if rates else {}) | bonuses


def _chosen(matching: Sequence[tuple[int, EarningRule]]) -> list[tuple[int, EarningRule]]:
    """All that stack and the first that does not; `matching` is in order of priority."""
    alone = next((i for i, rule in matching if not rule.stacks), None)
    return [(i, rule) for i, rule in matching if rule.stacks or i == alone]
