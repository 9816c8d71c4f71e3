"""Deferred revenue for points, as IFRS 15 has it (B39-B43 options for more goods, B44-B47 breakage; Example 52).

Values are what a lot's points carry: points x 10^-8 of the settlement currency a point, as a lot's price is. Money is
in millionths. Shares are of 10^9. Nothing here is rounded but to these units, half-even.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import NamedTuple

from domain.money import half_even

WHOLE = 10**9
VALUE_OF_MILLIONTH = 100
SOON = 12
"""Months: what is expected to be used within them is current (IAS 1.69)."""


def deferred_part(sale: Fraction, alone: Fraction) -> Fraction:
    """What of a sale's price goes to its points, which by themselves would sell for `alone`: worth x expected use.

    By relative stand-alone selling prices (IFRS 15.74, .76). Both in the same money; the rest goes to the goods.
    """
    whole = sale + alone
    return sale * alone / whole if whole else Fraction(0)


class Step(NamedTuple):
    """What cohorts did at one age, together: of the points that were `at_risk`, so many were used and ended."""

    used: int
    ended: int
    at_risk: int
    cohorts: int


class Reached(NamedTuple):
    """How far a cohort was at a month's end, in points: granted net of what was taken back, used, ended."""

    granted: int
    used: int
    ended: int


Triangle = Mapping[int, Sequence[Reached]]
"""By month of issue, counted from any, how far a cohort was at the end of that month and of each month since."""


def curve(triangle: Triangle, least: int) -> list[Step]:
    """By age in months: what all cohorts that reached it did then; until the first age that fewer than `least` did.

    A chain ladder over what is outstanding: the link from one age to the next is that of all cohorts together.
    """
    steps: list[Step] = []
    while True:
        age = len(steps)
        seen = [ages for ages in triangle.values() if len(ages) > age and ages[age].granted > 0]
        if len(seen) < max(1, least):
            return steps
        used = ended = at_risk = 0
        for ages in seen:
            now, before = ages[age], ages[age - 1] if age else Reached(0, 0, 0)
            used += now.used - before.used
            ended += now.ended - before.ended
            at_risk += now.granted - before.used - before.ended
        steps.append(Step(used, ended, at_risk, len(seen)))


def expected_use(steps: Sequence[Step], age: int, months: int | None = None) -> int:
    """Which share of what is outstanding at the end of `age` (-1: of what is granted) will be used, of 10^9; with
    `months`, within so many. What is left past the last age that is known is taken to be used at once."""
    used, left = Fraction(0), Fraction(1)
    last = max(age + 1, len(steps)) if months is None else age + months
    for at in range(age + 1, last + 1):
        if at >= len(steps):
            used += left
            break
        step = steps[at]
        if step.at_risk > 0:
            use = min(Fraction(1), max(Fraction(0), Fraction(step.used, step.at_risk)))
            end = min(1 - use, max(Fraction(0), Fraction(step.ended, step.at_risk)))
            used += left * use
            left = _short(left * (1 - use - end))
    return round(used * WHOLE)


def _short(share: Fraction) -> Fraction:
    """To 10^-18: what is multiplied month after month would have ever more digits."""
    return Fraction(round(share * WHOLE * WHOLE), WHOLE * WHOLE)


def set_use(breakage: Fraction, reached: Reached) -> int:
    """The same where somebody says that `breakage` of all that is granted will never be used, of 10^9."""
    left = reached.granted - reached.used - reached.ended
    if left <= 0:
        return 0
    use = ((1 - breakage) * reached.granted - reached.used) / left
    return round(min(Fraction(1), max(Fraction(0), use)) * WHOLE)


@dataclass(frozen=True, slots=True)
class Sums:
    """A cohort since its first day: points, and the values that they carried.

    `sold` were granted with the issuer's own sales, `funded` were paid for by others. `taken_sold` and `taken_funded`
    came back with sales that were returned. What is neither used, exchanged nor ended is outstanding.
    """

    granted: int = 0
    exchanged_in: int = 0
    redeemed: int = 0
    exchanged: int = 0
    expired: int = 0
    adjusted: int = 0
    reversed: int = 0
    transferred: int = 0
    value_sold: int = 0
    value_funded: int = 0
    value_taken_sold: int = 0
    value_taken_funded: int = 0
    value_redeemed: int = 0
    value_exchanged: int = 0
    value_ended: int = 0
    value_transferred: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUMS))

    @property
    def points(self) -> Reached:
        """How far it is."""
        granted = self.granted + self.exchanged_in - self.reversed
        return Reached(granted, self.redeemed + self.exchanged, self.expired + self.adjusted)

    @property
    def outstanding(self) -> int:
        """Points."""
        granted, used, ended = self.points
        return granted - used - ended + self.transferred

    @property
    def value(self) -> int:
        """What was ever deferred, less what came back."""
        return self.value_sold + self.value_funded - self.value_taken_sold - self.value_taken_funded

    @property
    def value_used(self) -> int:
        """Of what was used."""
        return self.value_redeemed + self.value_exchanged

    @property
    def value_left(self) -> int:
        """Of what is outstanding."""
        return self.value - self.value_used - self.value_ended + self.value_transferred


SUMS = tuple(field.name for field in fields(Sums))


class Closing(NamedTuple):
    """A cohort at a month's end: the value of all that was or will be used, what is deferred, what of it is current."""

    expected: int
    deferred: int
    current: int


def closing(sums: Sums, use: int, soon: int, payable: int | None = None) -> Closing:
    """What is deferred while the share `use` (`soon` of it within 12 months; both of 10^9) of what is outstanding will
    be used: the part of the cohort's value that use has not earned yet, by value (B46).

    With `payable` (10^-8 a point) the issuer is an agent: it holds what it will pay for what will be used, no more.
    """
    expected = sums.value_used + half_even(sums.value_left * use, WHOLE)
    if payable is not None:
        deferred = half_even(max(0, sums.outstanding) * payable * use, WHOLE * VALUE_OF_MILLIONTH)
    elif expected <= 0 or sums.value <= 0:
        deferred = 0
    else:
        to_come = max(0, expected - sums.value_used)
        deferred = half_even(sums.value * to_come, expected * VALUE_OF_MILLIONTH)
    return Closing(expected, deferred, half_even(deferred * min(soon, use), use) if use else 0)


NOTHING = Closing(0, 0, 0)


class Rolled(NamedTuple):
    """How what is deferred came from one month's end to the next, in millionths:

    opening + sold + funded - taken_sold - taken_funded - commission - redeemed - exchanged - change = closing.
    `redeemed` and `exchanged` are revenue (an agent's: now payable to who served the member), at the estimate of the
    month before; `change` is the catch-up by which all that was earned is as the new estimate has it: more revenue
    where it is above zero. `commission` is what an agent keeps, at once.
    """

    opening: int
    sold: int
    funded: int
    taken_sold: int
    taken_funded: int
    commission: int
    redeemed: int
    exchanged: int
    change: int
    closing: int


def rolled(
    before: tuple[Sums, Closing], after: tuple[Sums, Closing], payable: int | None = None, at_grant: int = WHOLE
) -> Rolled:
    """From one month's end to the next. Of an agent's points the share `at_grant` was expected to be used when granted.

    What came in is the difference of sums since the first day: no fraction of a millionth is lost between months.
    """
    (then, closed), (now, closes) = before, after

    def moved(name: str) -> int:
        return money(getattr(now, name)) - money(getattr(then, name))

    sold, funded = moved("value_sold"), moved("value_funded")
    taken_sold, taken_funded = moved("value_taken_sold"), moved("value_taken_funded")
    came = sold + funded - taken_sold - taken_funded
    out = closed.deferred + came - closes.deferred
    if payable is None:
        commission = 0
        earned = money(now.value) - closes.deferred
        change = earned - _earned_as_expected(then, closed, now, earned)
        released = out - change
        used, exchanged = moved("value_redeemed"), moved("value_exchanged")
        # Where nothing was used, what is left is the rounding of what came in.
        change, released = (change, released) if used + exchanged else (out, 0)
        exchanged = round(Fraction(released * exchanged, used + exchanged)) if released else 0
        redeemed = released - exchanged
    else:
        new = now.points.granted - then.points.granted
        kept = half_even(new * payable * at_grant, WHOLE * VALUE_OF_MILLIONTH)
        commission = came - kept
        redeemed = money(now.redeemed * payable) - money(then.redeemed * payable)
        exchanged = money(now.exchanged * payable) - money(then.exchanged * payable)
        change = out - commission - redeemed - exchanged
    paid = (sold, funded, taken_sold, taken_funded)
    return Rolled(closed.deferred, *paid, commission, redeemed, exchanged, change, closes.deferred)


def _earned_as_expected(then: Sums, closed: Closing, now: Sums, earned: int) -> int:
    """What all use since the first day would have earned by the estimate of the month before; `earned` without one.

    What was granted or taken back since changes the expectation in proportion.
    """
    if closed.expected <= 0 or then.value <= 0 or now.value <= 0:
        return earned
    expected = Fraction(closed.expected * now.value, then.value)
    if now.value_used >= expected:
        return money(now.value)
    return round(now.value * Fraction(now.value_used) / expected / VALUE_OF_MILLIONTH)


def money(value: int) -> int:
    """A value in millionths."""
    return half_even(value, VALUE_OF_MILLIONTH)
