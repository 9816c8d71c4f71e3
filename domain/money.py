"""Money as integers: minor units of a currency (cents), millionths for what merchants owe, 10^-8 for prices."""

from decimal import Decimal, InvalidOperation
from functools import cache

from iso4217 import Currency

from domain.errors import InvalidInput

MICRO = 10**6
PRICE = 10**8
MAX_INTEGER = 2**53 - 1


@cache
def exponent(currency: str) -> int:
    """Decimal places of a currency's minor unit, by ISO 4217. Raises InvalidInput for a code that is not in it."""
    try:
        return Currency(currency).exponent or 0
    except ValueError:
        raise InvalidInput(reason=f"{currency!r} is not an ISO 4217 currency", path=("currency",)) from None


def scaled(text: str, places: int) -> int:
    """`text`, a decimal number, as an integer of 10^-places.

    Raises InvalidInput if it is no finite decimal, has more places than that, or more than 18 digits.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise InvalidInput(reason=f"{text!r} is not a decimal number") from None
    if not value.is_finite():
        raise InvalidInput(reason=f"{text!r} is not a finite number")
    if value and not -18 <= value.adjusted() <= 17:
        raise InvalidInput(reason=f"{text[:40]!r} is out of range")
    moved = value.scaleb(places)
    if moved != moved.to_integral_value():
        raise InvalidInput(reason=f"{text[:40]!r} has more than {places} decimal places")
    return int(moved)


def unscaled(value: int, places: int) -> str:
    """The decimal string of an integer of 10^-places."""
    return f"{Decimal(value).scaleb(-places):f}"


def to_minor(amount: str, currency: str) -> int:
    """A decimal string in the currency's minor units. Raises InvalidInput."""
    minor = scaled(amount, exponent(currency))
    if abs(minor) > MAX_INTEGER:
        raise InvalidInput(reason=f"{amount[:40]!r} is out of range")
    return minor


def from_minor(minor: int, currency: str) -> str:
    """Minor units as a decimal string, with all the currency's places."""
    return unscaled(minor, exponent(currency))


def half_even(value: int, unit: int) -> int:
    """`value / unit` to the nearest integer, a tie to the even one."""
    quotient, rest = divmod(value, unit)
    up = 2 * rest > unit or (2 * rest == unit and quotient % 2 == 1)
    return quotient + up
