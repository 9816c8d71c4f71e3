"""What a member has, brand by brand, and where it is spent."""

import decimal
from datetime import datetime
from typing import Self

import strawberry

from resolvers import brands, wallets
from resolvers.worth import worth
from schema.merchants import Merchant, PointsCurrency
from schema.money import Money
from schema.node import Info
from schema.refusals import ErrorCode
from schema.rights import Right
from schema.scalars import Decimal, Points
from schema.wallets import Wallet


@strawberry.type(description="What a member has of one merchant's.")
class BrandAssets:
    """Where they have joined, have had points, or have a right."""

    joined_at: datetime | None = strawberry.field(description="Null if they have not joined it.")
    row: strawberry.Private[brands.Brand]

    @strawberry.field(description="Whose.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(self.row.merchant)

    @strawberry.field(description="Wallets of its points; of other kinds too: points, tier_credits, stamps.")
    def points(self, info: Info) -> list[Wallet]:
        """All but stored value."""
        return self._wallets(info, stored_value=False)

    @strawberry.field(description="Wallets of stored value: money paid in beforehand, and what was given on top.")
    def stored_value(self, info: Info) -> list[Wallet]:
        """Apart from points: it is the member's money."""
        return self._wallets(info, stored_value=True)

    def _wallets(self, info: Info, *, stored_value: bool) -> list[Wallet]:
        currencies = info.context.runtime.catalogue.currencies
        return [
            Wallet.of(figures, wallets.key_of(info.context, figures))
            for figures in self.row.wallets
            if (currencies[figures.currency].kind == "stored_value") == stored_value
        ]

    @strawberry.field(description="Rights that it granted and that may be used, now or later; the newest 100 of all.")
    def rights(self, info: Info) -> list[Right]:
        """Newest first; Member.rights has the rest."""
        return [Right.of(row, info) for row in self.row.rights]

    @classmethod
    def of(cls, row: brands.Brand) -> Self:
        """From what was loaded."""
        return cls(joined_at=None if row.membership is None else row.membership.joined_at, row=row)


@strawberry.type(description="That points of a kind may be spent somewhere, as of now.")
class SpendOption:
    """What its issuer and the merchant settle between them is not shown."""

    available: Points = strawberry.field(description="What the member may spend of them.")
    minimum: Points = strawberry.field(description="The fewest that pay for an order.")
    unit: Points = strawberry.field(description="They pay in multiples of this.")
    max_share: Decimal = strawberry.field(description="The part of an order that they pay at most.")
    changes_on: datetime | None = strawberry.field(description="When it ends or is agreed anew; null: not known.")
    blocked_by: list[ErrorCode] = strawberry.field(description="Why not even the fewest would be taken.")
    row: strawberry.Private[brands.Spending]

    @strawberry.field(description="The kind of points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(self.row.currency)

    @strawberry.field(description="Where they are spent.")
    def at(self, info: Info) -> Merchant:
        """The issuer's own, or a partner's."""
        return Merchant.of(self.row.at)

    @strawberry.field(description="What is available is worth, as the issuer publishes it.")
    def worth(self, info: Info) -> Money | None:
        """Null where the issuer publishes nothing."""
        found = worth(self.row.currency, self.row.figures.available, info.context.as_of)
        return None if found is None else Money.of_minor(*found)

    @classmethod
    def of(cls, row: brands.Spending) -> Self:
        """From the wallet and the terms."""
        share = row.terms.max_share
        return cls(
            available=Points(row.figures.available),
            minimum=Points(row.terms.minimum),
            unit=Points(row.terms.unit),
            max_share=Decimal(f"{decimal.Decimal(share.numerator) / share.denominator:f}"),
            changes_on=row.changes_on,
            blocked_by=[ErrorCode(code) for code in row.blocked_by],
            row=row,
        )
