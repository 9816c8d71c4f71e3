"""What points are worth to members, at the issuer's published worth. Prices between merchants are never shown (A14)."""

from datetime import datetime
from decimal import Decimal

from domain.money import PRICE
from domain.programs.catalogue import Currency
from domain.programs.rules import worth_of


def worth_of_one(currency: Currency, as_of: datetime) -> tuple[str, str] | None:
    """Decimal and currency of what one point is worth; None where the issuer publishes nothing."""
    policy = currency.policy_at(as_of)
    if policy.worth is None or policy.worth_currency is None:
        return None
    return f"{(Decimal(policy.worth) / PRICE).normalize():f}", policy.worth_currency


worth = worth_of
