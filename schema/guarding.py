"""Members' points, guarded against who stole their account: how it refuses, what is sent, answered and shown."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from domain.guard import model
from resolvers import guarding
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.members import Member
from schema.node import Info
from schema.refusals import UserError
from schema.showing import Named


@passed_as_sent
@strawberry.input
class LockPointsInput:
    """At the member's wish: their own, or said to a merchant or the operator."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the lock opens by itself; without it, when it is taken off."
    )


@passed_as_sent
@strawberry.input
class UnlockPointsInput:
    """The member's own wish."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef


@passed_as_sent
@strawberry.input
class LiftGuardInput:
    """The operator's decision."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    parts: list[model.GuardPart]
    reason: str = strawberry.field(description="Kept: 1 to 500 characters.")


@strawberry.type(description="The member's points are locked.")
class Locked:
    """What was held before may still be captured."""

    member: Member


@strawberry.type(description="The member's points are not locked.")
class Unlocked:
    """Something else may still bar them: see the guard."""

    member: Member


@strawberry.type(description="The parts that were named bar nothing now.")
class GuardLifted:
    """What happens from now on counts again."""

    member: Member


LockPointsResult = Annotated[Locked | Named, strawberry.union("LockPointsResult")]
UnlockPointsResult = Annotated[Unlocked | Named, strawberry.union("UnlockPointsResult")]
LiftGuardResult = Annotated[GuardLifted | Named, strawberry.union("LiftGuardResult")]


@strawberry.type
class GuardMutations:
    """Members', and the operator's."""

    @strawberry.mutation(description="Let nobody spend, hold, give, exchange or pool a member's points for now.")
    async def lock_points(self, info: Info, input: LockPointsInput) -> LockPointsResult | None:
        """They go on earning."""
        found = await answer(info, input, guarding.lock)
        return cast("Any", found if isinstance(found, UserError) else Locked(member=Member.of(found)))

    @strawberry.mutation(description="Take the lock off one's points.")
    async def unlock_points(self, info: Info, input: UnlockPointsInput) -> UnlockPointsResult | None:
        """By the member's own token."""
        found = await answer(info, input, guarding.unlock)
        return cast("Any", found if isinstance(found, UserError) else Unlocked(member=Member.of(found)))

    @strawberry.mutation(description="Take parts of a member's guard off, for a reason.")
    async def lift_guard(self, info: Info, input: LiftGuardInput) -> LiftGuardResult | None:
        """The operator's."""
        found = await answer(info, input, guarding.lift)
        return cast("Any", found if isinstance(found, UserError) else GuardLifted(member=Member.of(found)))
