"""Pools: members of a merchant's programme who put points together (R6)."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

import strawberry

from domain.ledger.model import OperationKind
from domain.pools import model
from domain.pools.model import PoolKind, PoolRole, PoolRow, PoolStatus
from resolvers import households, ids, pools, wallets
from resolvers.operations import ACTIVITY_SHAPE
from resolvers.pages import window
from schema.householding import PoolInvitation, PoolLimit
from schema.merchants import Merchant
from schema.node import Connection, Info, Node
from schema.operations import Operation
from schema.wallets import Wallet

LazyMember = Annotated["Member", strawberry.lazy("schema.members")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.type(description="That a member is in a pool, or was.")
class PoolMember:
    """One a stay."""

    role: PoolRole
    joined_at: datetime
    left_at: datetime | None
    member_id: strawberry.Private[UUID]

    @strawberry.field(description="Who; null if out of reach, as other members are for a member.")
    async def member(self, info: Info) -> LazyMember | None:
        """Loaded together with others."""
        from schema.members import Member

        found = await info.context.loaders.members.load(self.member_id)
        return None if found is None else Member.of(found)

    @strawberry.field(description="The member's number; other members see its last characters.")
    async def number(self, info: Info) -> str | None:
        """Null for an auditor."""
        return await pools.number(info.context, self.member_id)

    @classmethod
    def of(cls, row: model.PoolMember) -> Self:
        """From a row."""
        return cls(role=PoolRole(row.role), joined_at=row.joined_at, left_at=row.left_at, member_id=row.member_id)


@strawberry.type(description="Points that members put together. For its members, its merchant and the operator.")
class Pool(Node):
    """It has wallets, as a member has."""

    name: str
    kind: PoolKind
    status: PoolStatus
    created_at: datetime
    row: strawberry.Private[PoolRow]

    @strawberry.field(description="Whose points it holds.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @strawberry.field(description="Who is in it, and who was, in the order of joining.")
    async def members(self, info: Info) -> list[PoolMember]:
        """At most 50 at a time."""
        return [PoolMember.of(row) for row in await pools.members(info.context, self.row.id)]

    @strawberry.field(description="How many points may be spent, or put in.")
    async def limits(self, info: Info) -> list[PoolLimit]:
        """Of each, of some, of all together."""
        return [PoolLimit.of(row) for row in await households.limits_of(info.context, self.row.id)]

    @strawberry.field(description="Who was asked in, and has not answered.")
    async def invitations(self, info: Info) -> list[PoolInvitation]:
        """For those who are in it."""
        return [PoolInvitation.of(row, self.row) for row in await households.invited_to(info.context, self.row.id)]

    @strawberry.field(description="All wallets that were ever posted to; with asOf, as they were then.")
    async def wallets(self, info: Info, as_of: datetime | None = None) -> list[Wallet]:
        """A pool's lots keep their dates and issuers."""
        found = await wallets.of_holder(info.context, self.row.id, as_of=as_of)
        return [Wallet.of(figures, wallets.key_of(info.context, figures, as_of)) for figures in found]

    @strawberry.field(description="What happened, newest first.")
    async def activity(
        self,
        info: Info,
        kinds: list[OperationKind] | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Operation]:
        """From the pool's side."""
        asked = window(ACTIVITY_SHAPE, first, after, last, before)
        wanted = tuple(sorted({kind.value for kind in kinds or ()}))
        page = await info.context.loaders.activity(asked, "", wanted).load(self.row.id)
        return Connection[Operation].of(page, Operation.of)

    @classmethod
    def of(cls, row: PoolRow) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("Pool", row.id)),
            name=row.name,
            kind=PoolKind(row.kind),
            status=PoolStatus(row.status),
            created_at=row.created_at,
            row=row,
        )
