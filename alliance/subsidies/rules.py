"""What is drawn on a subsidy. Pure; in millionths of the settlement currency."""

from fractions import Fraction

from domain.money import half_even


def below_price(points: int, *, paid: int, got: int) -> int:
    """What points draw that bring `got` each and for which their issuer pays `paid`: nothing where it loses nothing."""
    return max(0, points * (paid - got))


def given_back(amount: int, before: int, now: int, of: int) -> int:
    """What comes back of an `amount` drawn for `of` points when `now` of them were taken back, after `before`.

    So all parts sum to the whole, rounded half-even to the millionth.
    """
    then, after = Fraction(amount * before, of), Fraction(amount * now, of)
    return half_even(after.numerator, after.denominator) - half_even(then.numerator, then.denominator)
