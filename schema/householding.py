"""What pools have besides members: limits, and invitations that wait for an answer."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from domain.pools import model
from domain.pools.model import EACH, LimitPeriod, PoolMoves, PoolRole, PoolRow
from resolvers import ids, pools
from schema.merchants import Merchant
from schema.node import Info
from schema.scalars import Points


@strawberry.type(description="How many points of a pool may be spent, or put in.")
class PoolLimit:
    """At most."""

    moves: PoolMoves
    per: LimitPeriod
    points: Points
    together: bool = strawberry.field(description="Of all members together; else of each, or of the one that is named.")
    member_id: strawberry.Private[UUID]

    @strawberry.field(description="Whose it is; null: each member's, or all together's.")
    async def number(self, info: Info) -> str | None:
        """As in the pool's members."""
        return None if self.together or self.member_id == EACH else await pools.number(info.context, self.member_id)

    @classmethod
    def of(cls, row: model.PoolLimit) -> Self:
        """From a row."""
        return cls(
            moves=PoolMoves(row.moves),
            per=LimitPeriod(row.per),
            points=Points(row.points),
            together=row.member_id == row.holder_id,
            member_id=row.member_id,
        )


@strawberry.type(description="That somebody was asked into a pool, and has not answered.")
class PoolInvitation:
    """For its members, and for whom it is."""

    role: PoolRole
    invited_at: datetime
    pool_id: strawberry.ID = strawberry.field(description="Of the pool, to answer with.")
    name: str | None = strawberry.field(description="What its members call it.")
    member_id: strawberry.Private[UUID]
    merchant_id: strawberry.Private[UUID]

    @strawberry.field(description="Whose points it holds.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.merchant_id])

    @strawberry.field(description="Who was asked; other members see the last characters of the number.")
    async def number(self, info: Info) -> str | None:
        """As in the pool's members."""
        return await pools.number(info.context, self.member_id)

    @classmethod
    def of(cls, row: model.PoolInvitation, pool: PoolRow) -> Self:
        """From rows."""
        return cls(
            role=PoolRole(row.role),
            invited_at=row.invited_at,
            pool_id=strawberry.ID(ids.encode("Pool", pool.id)),
            name=pool.name,
            member_id=row.member_id,
            merchant_id=pool.merchant_id,
        )
