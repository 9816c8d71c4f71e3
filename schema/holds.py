"""Points set aside before tender, and what the mutations about them answer (R14)."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain.ledger import model
from domain.ledger.model import HoldStatus
from domain.ledger.request import Posted
from resolvers import holds, ids, operations
from schema.answers import operation_of, wallet_now
from schema.merchants import Merchant, PointsCurrency
from schema.node import Info, Node
from schema.operations import Operation
from schema.scalars import Points
from schema.wallets import Wallet


@strawberry.type(description="Points set aside for a merchant, until they are captured, released, or its time is over.")
class Hold(Node):
    """Its lots were chosen when it was made; their expiry waits for it."""

    points: Points = strawberry.field(description="How many were set aside.")
    captured: Points = strawberry.field(description="How many of them were spent.")
    status: HoldStatus = strawberry.field(description="LAPSED from expiresAt on.")
    expires_at: datetime = strawberry.field(description="The first moment at which it can no longer be captured.")
    order_ref: str | None
    row: strawberry.Private[model.Hold]

    @strawberry.field(description="The kind of points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.row.currency])

    @strawberry.field(description="For whom they were set aside.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        found = info.context.runtime.catalogue.merchants_by_id.get(self.row.merchant_id)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="The redemption that captured it.")
    async def captured_by(self, info: Info) -> Operation | None:
        """Null unless it was captured."""
        if self.row.captured_by is None:
            return None
        return Operation.maybe(await operations.load(info.context, self.row.holder_id, self.row.captured_by))

    @classmethod
    def of(cls, row: model.Hold, as_of: datetime) -> Self:
        """From the ledger, as of a moment."""
        over = row.status == HoldStatus.OPEN and row.expires_at <= as_of
        return cls(
            id=strawberry.ID(ids.encode("Hold", row.holder_id, row.id)),
            points=Points(row.points),
            captured=Points(row.captured),
            status=HoldStatus.LAPSED if over else HoldStatus(row.status),
            expires_at=row.expires_at,
            order_ref=row.order_ref,
            row=row,
        )


async def _hold(info: Info, posted: Posted) -> Hold | None:
    row = await holds.load(info.context, posted.holder_id, UUID(posted.data["hold"]))
    return None if row is None else Hold.of(row, info.context.as_of)


@strawberry.type(description="Points were set aside.")
class Held:
    """Every other debit counts them."""

    points: Points
    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="What to capture or release; its id is good for node(id:).")
    async def hold(self, info: Info) -> Hold | None:
        """Read now."""
        return await _hold(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted, currency=currency)


@strawberry.type(description="Points that were set aside were spent; the rest of the hold was released.")
class Captured(Held):
    """In the order in which they were allocated."""

    released: Points = strawberry.field(description="What was held and not spent.")

    @strawberry.field(description="The redemption.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        released = Points(posted.data["released"])
        return cls(points=Points(posted.points), released=released, posted=posted, currency=currency)


@strawberry.type(description="All that was set aside was given back.")
class Released(Held):
    """What has expired meanwhile will be booked as expired."""
