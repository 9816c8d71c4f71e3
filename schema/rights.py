"""Rights of members: what merchants grant besides points (A15)."""

from dataclasses import fields
from datetime import date, datetime
from typing import Annotated, Self

import strawberry

from alliance.benefits.queries import RightsLine
from domain.benefits import model
from domain.benefits.model import BookingStatus, RightStatus
from domain.benefits.queries import MoveRow
from domain.benefits.rules import status_of
from domain.ledger.model import OperationKind
from resolvers import ids, operations, rights
from schema.merchants import Merchant
from schema.money import Money
from schema.node import Info, Node
from schema.operations import Operation

LazyMember = Annotated["Member", strawberry.lazy("schema.members")]  # type: ignore[name-defined]  # noqa: F821

for shared, about in (
    (RightStatus, "Where a right stands: VALID while it may be used."),
    (BookingStatus, "What became of a use that was set aside."),
):
    strawberry.enum(shared, description=about)


@strawberry.type(description="A use of a right that was set aside at a merchant.")
class RightBooking:
    """Once it has ended it stays, for the record."""

    id: strawberry.ID
    status: BookingStatus
    booked_at: datetime
    expires_at: datetime = strawberry.field(description="When it is over.")
    cancel_until: datetime | None = strawberry.field(
        description="Until when it costs nothing to cancel; null: always, for nobody promised to come."
    )
    row: strawberry.Private[model.RightBooking]

    @strawberry.field(description="Where.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: model.RightBooking) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("RightBooking", row.holder_id, row.id)),
            status=row.status,
            booked_at=row.booked_at,
            expires_at=row.expires_at,
            cancel_until=row.cancel_until,
            row=row,
        )


@strawberry.type(description="What an operation did to a right.")
class RightMove:
    """Oldest first, these sum to what is left."""

    kind: OperationKind
    uses: int = strawberry.field(description="How many uses it gave, or took (below zero).")
    at: datetime
    row: strawberry.Private[MoveRow]
    right: strawberry.Private[model.Right]

    @strawberry.field(description="At which merchant.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @strawberry.field(description="The operation.")
    async def operation(self, info: Info) -> Operation | None:
        """Null if it is out of reach."""
        return Operation.maybe(await operations.load(info.context, self.right.holder_id, self.row.operation_id))

    @classmethod
    def of(cls, right: model.Right, row: MoveRow) -> Self:
        """From a row."""
        return cls(kind=OperationKind(row.kind), uses=row.amount, at=row.as_of, row=row, right=right)


@strawberry.type(description="What became of a kind of right on a day, by where; and how much of it is out.")
class RightsReportLine:
    """Uses. Those of the whole day, and (of the grantor's own line alone) as they stood at its end."""

    kind: str
    granted: int
    used: int
    no_shows: int
    cancelled: int
    expired: int
    restored: int
    outstanding: int = strawberry.field(description="Granted, and neither used nor gone.")
    booked: int = strawberry.field(description="Of these, set aside.")
    overdue: int = strawberry.field(description="Of these, past their date: what should have returned and has not.")
    over: int = strawberry.field(description="Bookings past their time that were not followed up.")
    row: strawberry.Private[RightsLine]

    @strawberry.field(description="Who granted them.")
    def grantor(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.grantor_id])

    @strawberry.field(
        description="Where they were used, missed or restored; what else became of them is its grantor's."
    )
    def at(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.at_id])

    @strawberry.field(description="What the grantor came to owe there, less what it was given back.")
    def owed(self, info: Info) -> Money:
        """In the settlement currency."""
        return Money.of_micro(self.row.owed, info.context.runtime.catalogue.alliance.settlement_currency)

    @classmethod
    def of(cls, row: RightsLine) -> Self:
        """From the report."""
        figures = {field.name: getattr(row, field.name) for field in fields(row)}
        own = {name: value for name, value in figures.items() if name != "owed" and not name.endswith("_id")}
        return cls(**own, row=row)


@strawberry.type
class RightQueries:
    """About rights of many members."""

    @strawberry.field(
        description="What became of rights on a day of the alliance's time zone: what was granted, used and cleared, "
        "and what is out. A merchant sees what it granted, and what was used at its own."
    )
    async def rights_report(self, info: Info, day: date, merchant: str | None = None) -> list[RightsReportLine]:
        """By grantor, kind and place."""
        return [RightsReportLine.of(row) for row in await rights.report(info.context, day, merchant)]


@strawberry.type(description="That a member may use one of a merchant's benefits, at its own or at a partner's.")
class Right(Node):
    """As often as it says, within its dates."""

    kind: str = strawberry.field(description="The code of the benefit, as the alliance file has it.")
    status: RightStatus
    quantity: int = strawberry.field(description="How often it may be used in all.")
    remaining: int = strawberry.field(description="How often it may still be used, booked uses among them.")
    booked: int = strawberry.field(description="Uses that are set aside.")
    used: int = strawberry.field(description="Uses that are gone, missed bookings among them.")
    valid_from: datetime
    expires_at: datetime | None = strawberry.field(description="The first moment at which it is over; null: never.")
    granted_at: datetime
    row: strawberry.Private[model.Right]

    @strawberry.field(description="What the benefit is called.")
    def name(self, info: Info) -> str:
        """From the catalogue."""
        merchant = info.context.runtime.catalogue.merchants_by_id[self.row.grantor_id]
        found = merchant.benefits.get(self.row.kind)
        return self.row.kind if found is None else found.name

    @strawberry.field(description="Who granted it.")
    def grantor(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.grantor_id])

    @strawberry.field(description="Whose it is; null if they are out of reach.")
    async def member(self, info: Info) -> LazyMember | None:
        """A partner where it is used knows the right, and not the member."""
        from schema.members import Member

        found = await info.context.loaders.members.load(self.row.holder_id)
        return None if found is None else Member.of(found)

    @strawberry.field(description="What is shown to use it: to its member and its grantor alone; null once it is over.")
    def code(self, info: Info) -> str | None:
        """Small letters, spaces and dashes make no difference."""
        return rights.code_of(info.context, self.row)

    @strawberry.field(description="Where it is used; a partner is told of itself alone.")
    def usable_at(self, info: Info) -> list[Merchant]:
        """By the agreements of the moment of its grant."""
        return [Merchant.of(merchant) for merchant in rights.usable_at(info.context, self.row)]

    @strawberry.field(description="What was set aside of it; a partner sees its own bookings.")
    async def bookings(self, info: Info) -> list[RightBooking]:
        """Oldest first."""
        return [RightBooking.of(row) for row in await rights.bookings(info.context, self.row)]

    @strawberry.field(description="What was done to it; a partner sees what it did itself.")
    async def moves(self, info: Info) -> list[RightMove]:
        """Oldest first."""
        return [RightMove.of(self.row, row) for row in await rights.moves(info.context, self.row)]

    @classmethod
    def of(cls, row: model.Right, info: Info) -> Self:
        """From a row, as of now."""
        names = ("remaining", "used", "cancelled", "expired", "valid_from", "expires_at")
        status = status_of(**{name: getattr(row, name) for name in names}, as_of=info.context.as_of)
        return cls(
            id=strawberry.ID(ids.encode("Right", row.holder_id, row.id)),
            kind=row.kind,
            status=status,
            quantity=row.quantity,
            remaining=row.remaining,
            booked=row.booked,
            used=row.used,
            valid_from=row.valid_from,
            expires_at=row.expires_at,
            granted_at=row.granted_at,
            row=row,
        )
