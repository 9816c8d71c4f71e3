"""What an issuer accepts to lose on points that it issues for less than it pays for them (A3)."""

from typing import Any, Self

import strawberry

from domain.money import MICRO, scaled
from schema.merchants import PointsCurrency
from schema.money import Money
from schema.node import Info


@strawberry.type(description="What the issuer of points accepts to get less for them than it pays, by one version.")
class Subsidy:
    """What would pass the budget is refused."""

    currency: PointsCurrency
    budget: Money
    used: Money = strawberry.field(description="What was issued so, less what came back of it.")
    left: Money

    @classmethod
    def of(cls, info: Info, terms: dict[str, Any], used: int) -> Self:
        """From the terms of a version, and what is drawn in millionths."""
        catalogue = info.context.runtime.catalogue
        money, budget = catalogue.alliance.settlement_currency, scaled(terms["budget"]["amount"], len(str(MICRO)) - 1)
        return cls(
            currency=PointsCurrency.of(catalogue.currencies[terms["of"]]),
            budget=Money.of_micro(budget, money),
            used=Money.of_micro(used, money),
            left=Money.of_micro(budget - used, money),
        )
