"""Points set aside before tender (R14)."""

from datetime import datetime
from typing import Self

import strawberry

from domain.ledger import model
from domain.ledger.model import HoldStatus
from resolvers import ids, operations
from schema.merchants import Merchant, PointsCurrency
from schema.node import Info, Node
from schema.operations import Operation
from schema.scalars import Points


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
