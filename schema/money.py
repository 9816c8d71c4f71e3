"""Money and points on their way out."""

from typing import Self

import strawberry

from domain.money import MICRO, from_minor, unscaled
from schema.scalars import CurrencyCode, Decimal


@strawberry.type(description="An amount of money. Never a float.")
class Money:
    """As a decimal string with its currency."""

    amount: Decimal
    currency: CurrencyCode

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> Self:
        """From minor units (cents)."""
        return cls(amount=Decimal(from_minor(minor, currency)), currency=CurrencyCode(currency))

    @classmethod
    def of_micro(cls, micro: int, currency: str) -> Self:
        """From millionths, in which obligations are kept; all six places are shown."""
        return cls(amount=Decimal(unscaled(micro, len(str(MICRO)) - 1)), currency=CurrencyCode(currency))
