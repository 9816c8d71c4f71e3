"""The houses of the alliance: merchants, stores, currencies. All from the catalogue in memory."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from alliance.exposure import model
from domain.ledger.reports import Balances
from domain.programs import catalogue as programs
from resolvers import freezing, ids, reports
from resolvers.worth import worth_of_one
from schema.breakage import Breakage
from schema.money import Money
from schema.node import Info, Node
from schema.scalars import CurrencyCode, Decimal, Points
from schema.terms import Terms
from schema.tiers import TierLevel

if TYPE_CHECKING:
    from schema.departing import MerchantExit


@strawberry.type(description="A place where a merchant sells.")
class Store(Node):
    """Known by its code within its merchant."""

    code: str
    name: str

    @classmethod
    def of(cls, merchant: programs.Merchant, code: str) -> Self:
        """A store of the merchant; one that has left the alliance file keeps its code as its name."""
        id_ = strawberry.ID(ids.encode("Store", merchant.id, code))
        return cls(id=id_, code=code, name=merchant.stores.get(code, code))


@strawberry.type(description="A kind of points, issued by one merchant.")
class PointsCurrency(Node):
    """Known by its code."""

    code: str
    name: str
    kind: str = strawberry.field(description="points, tier_credits, stored_value or stamps.")
    scale: int = strawberry.field(description="Decimal places of its smallest unit, in which Points are counted.")
    row: strawberry.Private[programs.Currency]

    @strawberry.field(description="What the issuer says one point is worth to members, as of now.")
    def worth(self, info: Info) -> Money | None:
        """By the policy in force."""
        found = worth_of_one(self.row, info.context.as_of)
        return None if found is None else Money(amount=Decimal(found[0]), currency=CurrencyCode(found[1]))

    @strawberry.field(description="The merchant that issues it.")
    def merchant(self, info: Info) -> "Merchant":
        """The issuer."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: programs.Currency) -> Self:
        """The currency of a catalogue."""
        id_ = strawberry.ID(ids.encode_code("PointsCurrency", row.code))
        return cls(id=id_, code=row.code, name=row.name, kind=row.kind, scale=row.scale, row=row)


@strawberry.type(description="Points that end in a month, in the issuer's time zone, unless they are spent.")
class MonthEnding:
    """One month."""

    month: str | None = strawberry.field(description="As 2027-03; null for points that never end.")
    points: Points


@strawberry.type(description="What all wallets hold of a currency.")
class CurrencyBalances:
    """At one moment."""

    outstanding: Points = strawberry.field(description="Points that are there, held ones among them.")
    held: Points
    pending: Points
    debt: Points
    holders: int = strawberry.field(description="How many have any.")
    ending: list[MonthEnding]
    row: strawberry.Private[Balances]

    @strawberry.field(description="The kind of points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.row.currency])

    @classmethod
    def of(cls, row: Balances) -> Self:
        """From the ledger."""
        return cls(
            outstanding=Points(row.outstanding),
            held=Points(row.held),
            pending=Points(row.pending),
            debt=Points(row.debt),
            holders=row.holders,
            ending=[MonthEnding(month=month or None, points=Points(points)) for month, points in row.ending.items()],
            row=row,
        )


strawberry.enum(model.FreezeKind, name="FreezeKind", description="What the operator did about a merchant.")


@strawberry.type(description="That a merchant was frozen or restored.")
class FreezeStep:
    """Recorded with its reason."""

    kind: model.FreezeKind
    reason: str
    as_of: datetime
    at: datetime

    @classmethod
    def of(cls, row: model.FreezeStep) -> Self:
        """From a row."""
        return cls(kind=model.FreezeKind(row.kind), reason=row.why, as_of=row.as_of, at=row.at)


@strawberry.federation.type(keys=["code"], description="A house of the alliance.")
class Merchant(Node):
    """Known by its code."""

    code: str
    name: str
    timezone: str = strawberry.field(description="IANA name; expiry dates end at midnight there.")
    row: strawberry.Private[programs.Merchant]

    @strawberry.field(description="Where it sells; null if it declares no such store.")
    def store(self, code: str) -> Store | None:
        """One of its stores."""
        return Store.of(self.row, code) if code in self.row.stores else None

    @strawberry.field(description="The kinds of points it issues.")
    def currencies(self, info: Info) -> list[PointsCurrency]:
        """A merchant has a handful."""
        known = info.context.runtime.catalogue.currencies
        return [PointsCurrency.of(known[code]) for code in self.row.currencies]

    @strawberry.field(description="The tiers of its programme, the lowest first.")
    def tiers(self) -> list[TierLevel]:
        """As the alliance file says."""
        return [] if self.row.tiers is None else [TierLevel.of(level) for level in self.row.tiers.levels]

    @strawberry.field(description="The terms of its programme: what is in force as of now, and what is announced.")
    def terms(self, info: Info) -> list[Terms]:
        """As the alliance file says."""
        return Terms.all(info, self.code)

    @strawberry.field(description="The kind of points it grants where nothing else is said.")
    def default_currency(self, info: Info) -> PointsCurrency | None:
        """As the alliance file says."""
        code = self.row.default_currency
        return None if code is None else PointsCurrency.of(info.context.runtime.catalogue.currencies[code])

    @strawberry.field(
        description="What all wallets hold of its points, now or at a past instant. Reads them all: for a report. Null"
        " for another merchant."
    )
    async def balances(self, info: Info, as_of: datetime | None = None) -> list[CurrencyBalances] | None:
        """One a currency."""
        found = await reports.balances(info.context, self.row, as_of)
        return None if found is None else [CurrencyBalances.of(row) for row in found]

    @strawberry.field(
        description="Points that ended from a day to before another, of what it issued or paid for. Reads all"
        " operations: for a report. Null for another merchant."
    )
    async def breakage(
        self, info: Info, from_: Annotated[date, strawberry.argument(name="from")], to: date
    ) -> list[Breakage] | None:
        """By currency, funder and month."""
        found = await reports.breakage(info.context, self.row, from_, to)
        return None if found is None else [Breakage.of(info, row) for row in found]

    @strawberry.field(description="Since when it issues and exchanges nothing new; null unless it is frozen.")
    def frozen_since(self) -> datetime | None:
        """As this process knows."""
        return self.row.frozen_since

    @strawberry.field(description="When it was frozen and restored, newest first; of another merchant nothing.")
    async def freezes(self, info: Info) -> list[FreezeStep]:
        """At most 100."""
        return [FreezeStep.of(step) for step in await freezing.steps(info.context, self.row)]

    @strawberry.field(description="That it leaves the alliance, if it gave notice; the last time.")
    async def exit(self, info: Info) -> Annotated["MerchantExit", strawberry.lazy("schema.departing")] | None:
        """With the dates that follow."""
        from schema.departing import exit_of  # which stands on this module

        return await exit_of(info, self)

    @classmethod
    def of(cls, row: programs.Merchant) -> Self:
        """The merchant of a catalogue."""
        id_ = strawberry.ID(ids.encode_code("Merchant", row.code))
        return cls(id=id_, code=row.code, name=row.name, timezone=row.timezone.key, row=row)

    @classmethod
    def resolve_reference(cls, info: Info, code: str) -> "Merchant | None":
        """For a gateway: the merchant of a key."""
        found = info.context.runtime.catalogue.merchants.get(code)
        return None if found is None else cls.of(found)
