"""How far a merchant may come to owe the others, and how much of that is used (A5)."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.exposure.model import Exposure as ExposureRow
from alliance.exposure.model import ExposureAlert as AlertRow
from alliance.exposure.rules import headroom, percent
from resolvers import exposures
from resolvers.exposures import ALERT_SHAPE
from resolvers.pages import window
from schema.merchants import Merchant
from schema.money import Money
from schema.node import Connection, Info


@strawberry.type(description="That a merchant reached 70, 85 or 100 per cent of its cap; at most one an hour for each.")
class ExposureAlert:
    """`position` and `cap` are as they were then."""

    level: int = strawberry.field(description="Per cent.")
    position: Money
    cap: Money
    raised_at: datetime

    @classmethod
    def of(cls, row: AlertRow, currency: str) -> Self:
        """From a row."""
        position, cap = Money.of_micro(row.used, currency), Money.of_micro(row.cap, currency)
        return cls(level=row.level, position=position, cap=cap, raised_at=row.raised_at)


@strawberry.type(description="A merchant's cap for the whole alliance, and its position against it.")
class Exposure:
    """Everything in the settlement currency, to the millionth."""

    merchant: Merchant
    cap: Money = strawberry.field(description="Credit limit and collateral.")
    position: Money = strawberry.field(description="What counts against the cap: `owed`, `reserved` and `withheld`.")
    owed: Money = strawberry.field(
        description="What it owes less what it is owed, over all that is not settled; below zero it is owed more."
    )
    reserved: Money = strawberry.field(description="What it has promised to owe: points that wait and will be billed.")
    withheld: Money = strawberry.field(
        description="What it is owed on lines that others object to: until that is decided it gives no headroom."
    )
    headroom: Money = strawberry.field(description="What is left of the cap; zero past it.")
    percent: int = strawberry.field(description="Of the cap, whole per cent; over 100 past it.")
    row: strawberry.Private[ExposureRow]

    @strawberry.field(description="When it reached a level of its cap, newest first.")
    async def alerts(self, info: Info, first: int | None = None, after: str | None = None) -> Connection[ExposureAlert]:
        """Forwards only."""
        currency = info.context.runtime.catalogue.alliance.settlement_currency
        page = await exposures.alerts(info.context, self.row.merchant_id, window(ALERT_SHAPE, first, after))
        return Connection[ExposureAlert].of(page, lambda row: ExposureAlert.of(row, currency))

    @classmethod
    def of(cls, info: Info, row: ExposureRow) -> Self:
        """From a row."""
        catalogue = info.context.runtime.catalogue
        currency = catalogue.alliance.settlement_currency
        figures = {
            name: Money.of_micro(getattr(row, name), currency) for name in ("cap", "owed", "reserved", "withheld")
        }
        return cls(
            merchant=Merchant.of(catalogue.merchants_by_id[row.merchant_id]),
            position=Money.of_micro(row.used, currency),
            headroom=Money.of_micro(headroom(row.cap, row.used), currency),
            percent=percent(row.cap, row.used),
            row=row,
            **figures,
        )
