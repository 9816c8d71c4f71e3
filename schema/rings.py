"""Rings of gifts (L5)."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.gifts import rings
from schema.members import Member
from schema.merchants import PointsCurrency
from schema.node import Info
from schema.scalars import Points


@strawberry.type(description="Members who gave points to the next one, and the last of them to the first.")
class GiftRing:
    """It need not be fraud; it is worth a look."""

    points: Points = strawberry.field(description="What can have gone all the way round.")
    given: Points = strawberry.field(description="All that they gave each other so.")
    gifts: int
    first_at: datetime
    last_at: datetime
    row: strawberry.Private[rings.Ring]

    @strawberry.field(description="In the order of giving.")
    async def members(self, info: Info) -> list[Member]:
        """Loaded together."""
        found = await info.context.loaders.members.load_many(self.row.members)
        return [Member.of(one) for one in found if one is not None]

    @strawberry.field(description="The points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.row.currency])

    @classmethod
    def of(cls, row: rings.Ring) -> Self:
        """From the ledger."""
        return cls(
            points=Points(row.points),
            given=Points(row.given),
            gifts=row.gifts,
            first_at=row.first_at,
            last_at=row.last_at,
            row=row,
        )
