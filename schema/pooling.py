"""What is sent to change pools and to move their points, and what is answered (R6)."""

from typing import Self
from uuid import UUID

import strawberry

from domain.ledger.request import Posted
from domain.pools.model import PoolKind, PoolRole
from resolvers import pools
from schema.answers import operation_of, wallet_now
from schema.inputs import DRY_RUN, KEY, MemberRef, passed_as_sent
from schema.node import Info
from schema.operations import Operation
from schema.pools import Pool
from schema.scalars import Points
from schema.wallets import Wallet


@passed_as_sent
@strawberry.input
class CreatePoolInput:
    """A pool of points that a merchant issues."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant whose points it holds.")
    owner: MemberRef = strawberry.field(description="A member of the merchant's programme.")
    name: str = strawberry.field(description="What its members call it: 1 to 100 characters.")
    kind: PoolKind = PoolKind.HOUSEHOLD


@passed_as_sent
@strawberry.input
class AddPoolMemberInput:
    """At the owner's wish, or the merchant's."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef
    role: PoolRole = strawberry.field(description="SPENDER or CONTRIBUTOR.")


@passed_as_sent
@strawberry.input
class RemovePoolMemberInput:
    """At the owner's wish, the merchant's, or one's own."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef


@passed_as_sent
@strawberry.input
class ClosePoolInput:
    """At the owner's wish, or the merchant's."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID


@passed_as_sent
@strawberry.input
class PoolTransferInput:
    """Points between a pool and the wallet of somebody who is in it."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef = strawberry.field(description="Whose wallet is on the other side.")
    currency: str | None = strawberry.field(default=strawberry.UNSET, description="Default: the merchant's own.")
    points: Points
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@strawberry.type(description="A pool was made.")
class PoolCreated:
    """Its owner is in it."""

    pool_id: strawberry.Private[UUID]

    @strawberry.field(description="As it is now.")
    async def pool(self, info: Info) -> Pool | None:
        """Read now; null for who has just left it."""
        found = await pools.load(info.context, self.pool_id)
        return None if found is None else Pool.of(found)

    @classmethod
    def of(cls, outcome: dict[str, str]) -> Self:
        """From what was done."""
        return cls(pool_id=UUID(outcome["pool"]))


@strawberry.type(description="A member was let in.")
class PoolMemberAdded(PoolCreated):
    """From now on."""


@strawberry.type(description="A member has left; what they put in has not.")
class PoolMemberRemoved(PoolCreated):
    """From now on."""


@strawberry.type(description="The pool was closed.")
class PoolClosed(PoolCreated):
    """It was empty."""


@strawberry.type(description="Points were put into a pool.")
class Contributed:
    """They keep their dates."""

    points: Points
    posted: strawberry.Private[Posted]
    pool_id: strawberry.Private[UUID]
    currency: strawberry.Private[str]

    @strawberry.field(description="From the member's side; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The member's wallet as it stands now.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @strawberry.field(description="The pool as it stands now.")
    async def pool(self, info: Info) -> Pool | None:
        """Read now."""
        found = await pools.load(info.context, self.pool_id)
        return None if found is None else Pool.of(found)

    @classmethod
    def of(cls, posted: Posted, pool_id: UUID, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted, pool_id=pool_id, currency=currency)


@strawberry.type(description="Points were taken out of a pool.")
class Withdrawn(Contributed):
    """They keep their dates."""
