"""Signing out everywhere."""

from typing import Annotated, Any, cast

import strawberry

from resolvers import ids, sign_ins
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.node import Info
from schema.refusals import UserError
from schema.showing import Named


@passed_as_sent
@strawberry.input
class SignOutEverywhereInput:
    """Oneself, or for the operator a member."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef | None = strawberry.field(default=strawberry.UNSET, description="Default: the caller.")


@strawberry.type(description="All sessions of the member are over; in a few seconds no token of theirs is good.")
class SignedOut:
    """The one that asked, too."""

    member: strawberry.ID


SignOutEverywhereResult = Annotated[SignedOut | Named, strawberry.union("SignOutEverywhereResult")]


@strawberry.type
class SigningInMutations:
    """How members come and go."""

    @strawberry.mutation(description="Sign a member out of all apps: sessions end, tokens are revoked.")
    async def sign_out_everywhere(self, info: Info, input: SignOutEverywhereInput) -> SignOutEverywhereResult | None:
        """A phone was lost, say."""
        found = await answer(info, input, sign_ins.sign_out_everywhere)
        if isinstance(found, UserError):
            return cast("Any", found)
        return SignedOut(member=strawberry.ID(ids.encode("Member", found)))
