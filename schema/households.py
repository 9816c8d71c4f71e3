"""Households and companies as pools: invitations, roles, limits, and a pool's end; what is sent and answered (R6)."""

from typing import Annotated, Any, cast

import strawberry

from alliance.gifts.dissolving import DissolveTo
from domain.pools.model import LimitPeriod, PoolMoves, PoolRole
from resolvers import households
from schema.answering import Shared, answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.node import Info
from schema.pooling import PoolCreated
from schema.refusals import (
    TYPES,
    AlreadyInPool,
    MemberNotActive,
    NotInPool,
    PoolFull,
    PoolNotActive,
    PoolNotEmpty,
    UserError,
)
from schema.scalars import Points
from schema.showing import Named

strawberry.enum(DissolveTo, description="Who gets what is in a pool that ends.")


@strawberry.type(description="The pool's limit would be passed.")
class PoolLimitExceeded(UserError):
    """Nothing was moved."""

    moves: PoolMoves
    per: LimitPeriod
    cap: Points
    used: Points
    own = ("moves", "per", "cap", "used")


@strawberry.type(description="There is no invitation to answer.")
class NotInvited(UserError):
    """Or it was answered."""


TYPES |= {kind.__name__: kind for kind in (PoolLimitExceeded, NotInvited)}


@passed_as_sent
@strawberry.input
class InvitePoolMemberInput:
    """At the owner's wish, or the merchant's."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef
    role: PoolRole = strawberry.field(description="SPENDER or CONTRIBUTOR.")


@passed_as_sent
@strawberry.input
class AnswerPoolInvitationInput:
    """What who was asked says."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef = strawberry.field(description="Who was asked.")
    accept: bool


@passed_as_sent
@strawberry.input
class SetPoolRoleInput:
    """At the owner's wish, or the merchant's."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    member: MemberRef
    role: PoolRole = strawberry.field(description="A new OWNER takes the place of the old one, who is a SPENDER then.")


@passed_as_sent
@strawberry.input
class SetPoolLimitInput:
    """Of each member, of the one that is named (instead of it), or of all together."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    moves: PoolMoves
    per: LimitPeriod
    points: Points | None = strawberry.field(default=strawberry.UNSET, description="Left out: no limit any more.")
    member: MemberRef | None = strawberry.UNSET
    together: bool = False


@passed_as_sent
@strawberry.input
class DissolvePoolInput:
    """At the owner's wish, or the merchant's."""

    idempotency_key: str = strawberry.field(description=KEY)
    pool: strawberry.ID
    to: DissolveTo


@strawberry.type(description="A member was asked in.")
class PoolMemberInvited(PoolCreated):
    """Until they answer."""


@strawberry.type(description="The invitation was answered.")
class PoolInvitationAnswered(PoolCreated):
    """Who declined does not see the pool."""


@strawberry.type(description="A member has another role.")
class PoolRoleSet(PoolCreated):
    """From now on."""


@strawberry.type(description="The limit counts.")
class PoolLimitSet(PoolCreated):
    """From the next posting on."""


@strawberry.type(description="The pool's points went back, and it was closed.")
class PoolDissolved(PoolCreated):
    """They kept their dates."""


_Not = PoolNotActive | NotInPool
InvitePoolMemberResult = Annotated[
    PoolMemberInvited | Named | _Not | MemberNotActive | AlreadyInPool | PoolFull,
    strawberry.union("InvitePoolMemberResult"),
]
AnswerPoolInvitationResult = Annotated[
    PoolInvitationAnswered | Named | PoolNotActive | MemberNotActive | NotInvited | PoolFull,
    strawberry.union("AnswerPoolInvitationResult"),
]
SetPoolRoleResult = Annotated[PoolRoleSet | Named | _Not | MemberNotActive, strawberry.union("SetPoolRoleResult")]
SetPoolLimitResult = Annotated[PoolLimitSet | Named | _Not, strawberry.union("SetPoolLimitResult")]
DissolvePoolResult = Annotated[
    PoolDissolved | Shared | _Not | MemberNotActive | PoolNotEmpty, strawberry.union("DissolvePoolResult")
]


@strawberry.type
class HouseholdMutations:
    """The owner's, and the merchant's; who was asked answers."""

    @strawberry.mutation(description="Ask a member into a pool.")
    async def invite_pool_member(self, info: Info, input: InvitePoolMemberInput) -> InvitePoolMemberResult | None:
        """Who accepts is in it."""
        found = await answer(info, input, households.invite)
        return cast("Any", found if isinstance(found, UserError) else PoolMemberInvited.of(found))

    @strawberry.mutation(description="Accept an invitation into a pool, or decline it.")
    async def answer_pool_invitation(
        self, info: Info, input: AnswerPoolInvitationInput
    ) -> AnswerPoolInvitationResult | None:
        """Once."""
        found = await answer(info, input, households.answer)
        return cast("Any", found if isinstance(found, UserError) else PoolInvitationAnswered.of(found))

    @strawberry.mutation(description="Give another role to who is in a pool.")
    async def set_pool_role(self, info: Info, input: SetPoolRoleInput) -> SetPoolRoleResult | None:
        """There is one owner, always."""
        found = await answer(info, input, households.set_role)
        return cast("Any", found if isinstance(found, UserError) else PoolRoleSet.of(found))

    @strawberry.mutation(description="Limit what is spent of a pool, or put in.")
    async def set_pool_limit(self, info: Info, input: SetPoolLimitInput) -> SetPoolLimitResult | None:
        """What was moved before counts."""
        found = await answer(info, input, households.set_limit)
        return cast("Any", found if isinstance(found, UserError) else PoolLimitSet.of(found))

    @strawberry.mutation(description="Return a pool's points to its members, and close it.")
    async def dissolve_pool(self, info: Info, input: DissolvePoolInput) -> DissolvePoolResult | None:
        """Not while a hold has set some aside."""
        found = await answer(info, input, households.dissolve)
        return cast("Any", found if isinstance(found, UserError) else PoolDissolved.of(found))
