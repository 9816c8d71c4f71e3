"""One currency's cohorts from month's end to month's end; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alliance.liability import months
from alliance.liability.movements import Movement
from alliance.liability.rules import (
    NOTHING,
    SOON,
    SUMS,
    WHOLE,
    Closing,
    Reached,
    Rolled,
    Step,
    Sums,
    Triangle,
    closing,
    curve,
    expected_use,
    rolled,
    set_use,
)
from domain.money import half_even
from domain.programs.catalogue import Currency
from domain.programs.policies import CurrencyPolicy

INSTANT = timedelta(microseconds=1)

Moved = Mapping[tuple[date, date], Sums]
"""What moved, by month of issue and month."""


@dataclass(slots=True)
class Cohort:
    """A cohort as it is at a month's end; `at_grant` is the share by which its sales were divided, of 10^9."""

    sums: Sums = field(default_factory=Sums)
    closed: Closing = NOTHING
    at_grant: int = WHOLE


@dataclass(slots=True)
class Programme:
    """A currency of an issuer: its cohorts by month of issue, as the last closed month left them, and what each had
    come to at every month's end (`triangle`)."""

    merchant_id: UUID
    currency: Currency
    zone: ZoneInfo
    money: str
    cohorts: dict[date, Cohort] = field(default_factory=dict)
    triangle: dict[int, list[Reached]] = field(default_factory=dict)

    def policy(self, month: date) -> CurrencyPolicy:
        """What is in force at its end."""
        return self.currency.policy_at(months.end_of(month, self.zone) - INSTANT)

    def alone(self, issued: date) -> tuple[Fraction, int]:
        """What a point of a cohort sells for by itself (10^-8), and the share of them that is expected to be used: as
        was known when the month began."""
        policy = self.policy(issued)
        use = self._at_grant(issued, policy)
        worth = policy.worth if policy.worth is not None and policy.worth_currency == self.money else 0
        return Fraction(worth * use, WHOLE), use

    def _at_grant(self, issued: date, policy: CurrencyPolicy) -> int:
        known = self.cohorts.get(issued)
        if known is not None:
            return known.at_grant
        return self._new_use(policy, self._curve(months.number(issued) - 1, policy))

    def issues(self) -> list[date]:
        """The months of issue that are known."""
        return [months.numbered(start) for start in self.triangle]

    def extend(self, moved: Moved, last: date) -> None:
        """Have the triangle go on to the month `last`."""
        through = months.number(last)
        by_cohort: dict[date, dict[int, Sums]] = defaultdict(dict)
        for (issued, month), sums in moved.items():
            by_cohort[issued][months.number(month)] = sums
        for issued in {*by_cohort, *self.cohorts}:
            start = months.number(issued)
            ages = self.triangle.setdefault(start, [])
            sums = self.cohorts[issued].sums if issued in self.cohorts else Sums()
            for count in range(start + len(ages), through + 1):
                sums += by_cohort[issued].get(count, Sums())
                ages.append(sums.points)

    def _curve(self, through: int, policy: CurrencyPolicy) -> list[Step]:
        known: Triangle = {
            start: ages[: through - start + 1] for start, ages in self.triangle.items() if start <= through
        }
        return curve(known, policy.liability.min_cohorts)

    def _new_use(self, policy: CurrencyPolicy, steps: list[Step]) -> int:
        breakage = policy.liability.breakage
        return expected_use(steps, -1) if breakage is None else round((1 - breakage) * WHOLE)

    def close(
        self, month: date, moved: Moved, at_grant: Mapping[date, int]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Close a month: the row of its estimate, and one of each cohort of which there is something to say.

        `at_grant` are the shares of cohorts that are new.
        """
        policy = self.policy(month)
        terms, steps = policy.liability, self._curve(months.number(month), policy)
        keys = {"merchant_id": self.merchant_id, "currency": self.currency.code, "month": month}
        estimate = keys | {
            "use": self._new_use(policy, steps),
            "policy_version": policy.version,
            "by": terms.by,
            "why": terms.why,
            "curve": [list(step) for step in steps],
            "payable": terms.payable,
        }
        rows = []
        for issued in sorted({*self.cohorts, *(one for one, at in moved if at == month)}):
            before = self.cohorts.get(issued) or Cohort(at_grant=at_grant[issued])
            sums = before.sums + moved.get((issued, month), Sums())
            age = months.number(month) - months.number(issued)
            use, soon = self._shares(policy, steps, sums, age)
            closed = closing(sums, use, soon, terms.payable)
            if (
                issued not in self.cohorts
                or sums != before.sums
                or closed.deferred
                or before.closed.deferred
                or sums.outstanding
            ):
                roll = rolled((before.sums, before.closed), (sums, closed), terms.payable, before.at_grant)
                rows.append(
                    keys
                    | {"issued": issued}
                    | _row(sums, closed, roll)
                    | {"use": use, "soon": soon, "at_grant": before.at_grant}
                )
            self.cohorts[issued] = Cohort(sums, closed, before.at_grant)
        return estimate, rows

    def _shares(self, policy: CurrencyPolicy, steps: list[Step], sums: Sums, age: int) -> tuple[int, int]:
        """Of what is outstanding: what will be used, and within a year."""
        use, soon = expected_use(steps, age), expected_use(steps, age, SOON)
        if policy.liability.breakage is None:
            return use, soon
        chosen = set_use(policy.liability.breakage, sums.points)
        return chosen, half_even(chosen * soon, use) if use else chosen


def _row(sums: Sums, closed: Closing, roll: Rolled) -> dict[str, Any]:
    moved = roll._asdict()
    del moved["closing"]
    moved["redeemed_money"], moved["exchanged_money"] = moved.pop("redeemed"), moved.pop("exchanged")
    return {name: getattr(sums, name) for name in SUMS} | closed._asdict() | moved


def by_month(moved: Iterable[Movement], last: date) -> Moved:
    """Summed; what is dated after the month that is closed last counts in it."""
    found: dict[tuple[date, date], Sums] = defaultdict(Sums)
    for one in moved:
        month = min(one.month, last)
        found[min(one.issued, month), month] += one.sums()
    return found


def between(first: date, last: date) -> Iterator[date]:
    """Each month from the one to the other."""
    for count in range(months.number(first), months.number(last) + 1):
        yield months.numbered(count)
