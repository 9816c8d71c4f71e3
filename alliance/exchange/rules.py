"""How many points go out and come in (A3, A4). Pure."""

from fractions import Fraction
from typing import NamedTuple

from alliance.agreements.book import ExchangeTerms
from alliance.exchange.errors import BelowMinimum
from domain.errors import InvalidInput
from domain.money import MAX_INTEGER, half_even


class Amounts(NamedTuple):
    """Points that a member gives, the fee among them, and gets."""

    out: int
    into: int
    fee: int


def quoted(terms: ExchangeTerms, *, out: int | None, into: int | None) -> Amounts:
    """As `amounts`, where a fee goes out beside what is exchanged. Raises InvalidInput, BelowMinimum."""
    given = _without_fee(terms, out) if out is not None and 0 < out <= MAX_INTEGER else out
    try:
        if given == 0 and out:
            raise BelowMinimum(minimum=_least(terms.rate, terms.block, terms.step), path=("pointsOut",))
        exchanged, into = amounts(terms.rate, terms.block, terms.step, out=given, into=into)
    except BelowMinimum as refused:
        least = int(refused.data["minimum"])
        raise BelowMinimum(minimum=least + terms.fee(least), path=refused.path) from None
    fee = terms.fee(exchanged)
    if exchanged + fee > MAX_INTEGER:
        raise InvalidInput(reason="that moves more points than can be counted", path=("pointsIn",))
    return Amounts(exchanged + fee, into, fee)


def _without_fee(terms: ExchangeTerms, out: int) -> int:
    """The most points that can be exchanged so that, with their fee, no more than `out` go."""
    points = max(0, int((out - terms.fee_points) / (1 + terms.fee_share)))
    return points + 1 if points + 1 + terms.fee(points + 1) <= out else points


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
        raise BelowMinimum(minimum=_least(rate, block, step), path=("pointsOut",))
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


def _least(rate: Fraction, block: int, step: int) -> int:
    """The fewest points for which anything comes in."""
    return _at_least(-(-rate.denominator // rate.numerator), block, step)


def _at_least(points: int, block: int, step: int) -> int:
    """The smallest amount allowed that is not less than `points`."""
    return block + max(0, -(-(points - block) // step)) * step
