"""How many points go out and come in (A3, A4). Pure."""

from fractions import Fraction

from alliance.exchange.errors import BelowMinimum
from domain.errors import InvalidInput
from domain.money import MAX_INTEGER, half_even


def amounts(rate: Fraction, block: int, step: int, *, out: int | None, into: int | None) -> tuple[int, int]:
    """Points out and in, for at most `out` points out or at least `into` points in (exactly one of them is given).

    At least `block` go out, then in steps of `step`, and of the amounts that give the same points in the fewest: at 0.8
    of 101 points 100 go out for 80, and 1 stays. Points in are rounded down. Raises InvalidInput, BelowMinimum.
    """
    asked = out if out is not None else into
    if asked is None or (out is not None and into is not None):
        raise InvalidInput(reason="give exactly one of pointsOut and pointsIn")
    if not 0 < asked <= MAX_INTEGER:
        raise InvalidInput(reason="points must be positive", path=("pointsOut" if out is not None else "pointsIn",))
    if out is not None:
        largest = block + (out - block) // step * step if out >= block else 0
        into = _into(largest, rate)
    assert into is not None
    fewest = _at_least(-(-into * rate.denominator // rate.numerator), block, step)
    if into == 0:
        minimum = _at_least(-(-rate.denominator // rate.numerator), block, step)
        raise BelowMinimum(minimum=minimum, path=("pointsOut",))
    into = _into(fewest, rate)
    if max(fewest, into) > MAX_INTEGER:
        path = "pointsIn" if out is None else "pointsOut"
        raise InvalidInput(reason="that moves more points than can be counted", path=(path,))
    return fewest, into


def price_at_issue(points_out: int, clearing_value: int, points_in: int) -> int:
    """What a point of the new lot cost its funder: the money that moved by points in, in 10^-8, half-even (A1)."""
    return half_even(points_out * clearing_value, points_in)


def _into(points: int, rate: Fraction) -> int:
    return points * rate.numerator // rate.denominator


def _at_least(points: int, block: int, step: int) -> int:
    """The smallest amount allowed that is not less than `points`."""
    return block + max(0, -(-(points - block) // step)) * step
