"""Points that ended, and what that was worth: a report."""

from typing import Self

import strawberry

from alliance.clearing import breakage
from domain.money import unscaled
from schema.money import Money
from schema.node import Info
from schema.scalars import CurrencyCode, Decimal, Points


@strawberry.type(description="Points of one kind that ended in a month, less those that were brought back in it.")
class Breakage:
    """Of one issuer and one funder."""

    month: str = strawberry.field(description="Such as 2027-03, in the issuer's time zone.")
    currency: str = strawberry.field(description="Whose points, by their code.")
    issuer: str = strawberry.field(description="The code of the merchant that issued them.")
    funder: str = strawberry.field(description="The code of the merchant that paid for them.")
    points: Points
    value: Money = strawberry.field(description="What they had been issued at.")
    owed: Money = strawberry.field(
        description="What the funder comes to owe the issuer because they ended; below zero, the issuer the funder."
    )

    @classmethod
    def of(cls, info: Info, row: breakage.Breakage) -> Self:
        """From the books."""
        catalogue = info.context.runtime.catalogue
        money = catalogue.alliance.settlement_currency
        return cls(
            month=row.month,
            currency=row.currency,
            issuer=catalogue.merchants_by_id[row.issuer_id].code,
            funder=catalogue.merchants_by_id[row.funder_id].code,
            points=Points(row.points),
            value=Money(amount=Decimal(unscaled(row.value, 8)), currency=CurrencyCode(money)),
            owed=Money.of_micro(row.owed, money),
        )
