"""What points are worth to members, at the issuer's published worth. Prices between merchants are never shown (A14)."""

from datetime import datetime
from decimal import Decimal

from domain.money import PRICE, exponent
from domain.programs.catalogue import Currency


def worth_of_one(currency: Currency, as_of: datetime) -> tuple[str, str] | None:
    """Decimal and currency of what one point is worth; None where the issuer publishes nothing."""
    policy = currency.policy_at(as_of)
    if policy.worth is None or policy.worth_currency is None:
        return None
    return f"{(Decimal(policy.worth) / PRICE).normalize():f}", policy.worth_currency


def worth(currency: Currency, units: int, as_of: datetime) -> tuple[int, str] | None:
    """Minor units (rounded towards zero) and currency of what these smallest units of points are worth."""
    policy = currency.policy_at(as_of)
    if policy.worth is None or policy.worth_currency is None:
        return None
    divisor = PRICE * 10**currency.scale
    minor = abs(units) * policy.worth * 10 ** exponent(policy.worth_currency) // divisor
    return minor if units >= 0 else -minor, policy.worth_currency
