"""A member's points of one kind: figures, lots, what expires when."""

from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from domain.ledger.model import HoldStatus
from domain.ledger.queries import Totals, WalletFigures, WalletKey
from resolvers import lots, statements
from resolvers.lots import HOLD_SHAPE
from resolvers.pages import window
from resolvers.statements import STATEMENT_SHAPE
from resolvers.wallets import LOT_SHAPE, expiries_of, global_id, lots_of, next_dates
from resolvers.worth import worth
from schema.holds import Hold
from schema.lots import Lot
from schema.merchants import PointsCurrency
from schema.money import Money
from schema.node import Connection, Info, Node
from schema.notices import Notice
from schema.scalars import Points
from schema.statements import StatementEntry


@strawberry.type(description="Points that are gone after a date, in the merchant's time zone, unless they are spent.")
class ExpiryDue:
    """One date."""

    on: date
    points: Points


@strawberry.type(description="What has gone through a wallet since it was opened; what was reversed is taken off.")
class WalletTotals:
    """opening + earned - spent - expired + adjusted + toppedUp + exited + pooled + in - out: expired lots too."""

    earned: Points
    spent: Points
    expired: Points
    exchanged_in: Points
    exchanged_out: Points
    given_in: Points
    given_out: Points
    adjusted: Points = strawberry.field(description="Given by hand, less what was taken by hand.")
    opening: Points = strawberry.field(description="Brought in from the system before this one.")
    topped_up: Points = strawberry.field(description="Paid for, with what was given on top, less what was paid back.")
    exited: Points = strawberry.field(
        description="Change that forced exits brought; below zero, points that they sold."
    )
    pooled: Points = strawberry.field(
        description="From pools, less what was put into them; of a pool, put in less out."
    )

    @classmethod
    def of(cls, row: Totals) -> Self:
        """From the ledger."""
        return cls(
            earned=Points(row.earned),
            spent=Points(row.spent),
            expired=Points(row.expired),
            exchanged_in=Points(row.exchanged_in),
            exchanged_out=Points(row.exchanged_out),
            given_in=Points(row.given_in),
            given_out=Points(row.given_out),
            adjusted=Points(row.adjusted),
            opening=Points(row.opening),
            topped_up=Points(row.topped_up),
            exited=Points(row.exited),
            pooled=Points(row.pooled),
        )


@strawberry.type(description="A member's points of one kind. balance = available + held - debt; pending stands apart.")
class Wallet(Node):
    """Lots that have expired as of now are in none of its figures."""

    balance: Points
    available: Points
    held: Points
    pending: Points
    debt: Points
    key: strawberry.Private[WalletKey]

    @strawberry.field(description="The kind of points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.key.currency])

    @strawberry.field(description="What the balance is worth, as the issuer publishes it.")
    def worth(self, info: Info) -> Money | None:
        """Null where the issuer publishes nothing."""
        row = info.context.runtime.catalogue.currencies[self.key.currency]
        found = worth(row, self.balance, self.key.as_of)
        return None if found is None else Money.of_minor(*found)

    @strawberry.field(description="What has gone through it. Reads every entry: for a statement, not for a header.")
    async def lifetime(self, info: Info) -> WalletTotals:
        """Sums of entries."""
        return WalletTotals.of(await info.context.loaders.totals.load(self.key))

    @strawberry.field(description="Live lots, in the order in which they will be spent.")
    async def lots(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Lot]:
        """A page."""
        asked = window(LOT_SHAPE, first, after, last, before)
        return Connection[Lot].of(await lots_of(info.context, self.key, asked), Lot.of)

    @strawberry.field(
        description="Every movement, newest first, from an instant until before another, by bookedAt (with"
        " Tessera-Clock, by the clock of each call)."
    )
    async def statement(
        self,
        info: Info,
        from_: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        to: datetime | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[StatementEntry]:
        """A page."""
        asked = window(STATEMENT_SHAPE, first, after, last, before)
        page = await statements.of_wallet(info.context, self.key, (from_, to), asked)
        return Connection[StatementEntry].of(page, StatementEntry.of)

    @strawberry.field(
        description="Points that were set aside, newest first; of a wallet of the past, as they stood then."
    )
    async def holds(
        self,
        info: Info,
        status: list[HoldStatus] | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Hold]:
        """A merchant sees what is set aside for it, or of its points."""
        asked = window(HOLD_SHAPE, first, after, last, before)
        page = await lots.holds(info.context, self.key.holder_id, self.key.currency, status, asked, self.key)
        return Connection[Hold].of(page, lambda row: Hold.of(row, self.key.as_of))

    @strawberry.field(description="The next dates on which points expire.")
    async def expiries(self, info: Info, first: int = 12) -> list[ExpiryDue]:
        """At most 100 dates."""
        due = await expiries_of(info.context, self.key, next_dates(first))
        return [ExpiryDue(on=on, points=Points(points)) for on, points in due]

    @strawberry.field(
        description="The newest notices of points that are lost or sold, and whether they were delivered."
    )
    async def notices(self, info: Info, first: int = 12) -> list[Notice]:
        """At most 100."""
        found = await info.context.loaders.notices(next_dates(first)).load(self.key)
        return [Notice.of(told) for told in found]

    @classmethod
    def of(cls, figures: WalletFigures, key: WalletKey) -> Self:
        """From the ledger."""
        return cls(
            id=strawberry.ID(global_id(key)),
            balance=Points(figures.balance),
            available=Points(figures.available),
            held=Points(figures.held),
            pending=Points(figures.pending),
            debt=Points(figures.debt),
            key=key,
        )


LazyWallet = Annotated["Wallet", strawberry.lazy("schema.wallets")]
