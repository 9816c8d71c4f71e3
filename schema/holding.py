"""What the mutations about holds answer (R14)."""

from typing import Self
from uuid import UUID

import strawberry

from domain.ledger.request import Posted
from resolvers import holds
from schema.answers import operation_of, wallet_now
from schema.holds import Hold
from schema.node import Info
from schema.operations import Operation
from schema.preview import OwedLine, obligations_of
from schema.scalars import Points
from schema.wallets import Wallet


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

    @strawberry.field(description="What it makes owed; for a dry run of a hold, what capturing all of it would.")
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

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
