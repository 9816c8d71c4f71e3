"""The door of A3: what agreements would let someone gain from nothing, and what was let through before."""

from collections.abc import Collection, Iterable
from datetime import date
from fractions import Fraction

from alliance.file.agreement import Agreement
from alliance.file.money_machine import MoneyMachine, by_date, money_machines
from alliance.file.subsidies import LosesRound, Underpriced, losing_round, underpriced

Breach = MoneyMachine | Underpriced | LosesRound


def breaches(before: Collection[Agreement], after: Collection[Agreement], tolerance: str) -> list[Breach]:
    """What `after` breaks of A3 and `before` did not, at whatever dates: a version of the future may meet another's.

    `tolerance` is the part of what an issuer gets in a round trip that it may lose without having accepted it.
    """
    dates = _changed(before, after)
    known = {breach.part for breach in _priced(before, tolerance, dates)}
    priced = [breach for breach in _priced(after, tolerance, dates) if breach.part not in known]
    return [*money_machines(after, dates), *priced]


def _priced(
    agreements: Collection[Agreement], tolerance: str, dates: Collection[date]
) -> Iterable[Underpriced | LosesRound]:
    return [*underpriced(agreements, dates), *losing_round(agreements, Fraction(tolerance), dates)]


def _changed(before: Collection[Agreement], after: Collection[Agreement]) -> list[date]:
    """The dates on which terms change of `after`, from each of which on it is not what `before` was then."""
    then = dict(by_date(before, [day for day, _ in by_date(after)]))
    return [day for day, terms in by_date(after) if {*map(id, terms)} != {*map(id, then[day])}]


def versions_in(breach: Breach) -> list[Agreement]:
    """The versions that it is made of."""
    if isinstance(breach, MoneyMachine):
        return [step.agreement for step in breach.steps]
    if isinstance(breach, Underpriced):
        return [breach.issued.agreement, breach.paid.agreement]
    return [breach.came.agreement, breach.went.agreement]
