"""Showing who one is by a one-time code; signing out everywhere."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry

from resolvers import ids, passcodes, sign_ins
from schema.answering import Shared, answer
from schema.enums import Channel
from schema.inputs import KEY, IdentifierInput, MemberRef, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, IdentifierTaken, MemberNotActive, UserError
from schema.refusing_identifiers import MemberNumbersExhausted, TooManyIdentifiers
from schema.showing import MemberCode, Named

if TYPE_CHECKING:
    from schema.members import Member

_Member = Annotated["Member", strawberry.lazy("schema.members")]
_KEY = KEY[: KEY.index(".")]


@strawberry.type(description="Tried too often, here or with this address.")
class TooManyAttempts(UserError):
    """Wait."""

    retry_after: int = strawberry.field(description="Seconds.")
    own = ("retry_after",)


@strawberry.type(description="Not the code that was sent last, or it is no good any more.")
class WrongOneTimeCode(UserError):
    """After five wrong ones none is good."""


TYPES |= {kind.__name__: kind for kind in (TooManyAttempts, WrongOneTimeCode)}


@passed_as_sent
@strawberry.input
class SendOneTimeCodeInput:
    """To a telephone or an e-mail address, in the caller's language."""

    idempotency_key: str = strawberry.field(description=f"{_KEY}. Not remembered: a code is not sent twice at once.")
    merchant: str = strawberry.field(description="The code of the merchant in whose name it is sent.")
    identifier: IdentifierInput


@passed_as_sent
@strawberry.input
class CheckOneTimeCodeInput:
    """What was sent, as the member says it."""

    idempotency_key: str = strawberry.field(description=f"{_KEY}. Not remembered: a code is good once.")
    merchant: str = strawberry.field(description="The code of the merchant that had it sent.")
    identifier: IdentifierInput
    code: str
    channel: Channel
    store: str | None = strawberry.UNSET


@strawberry.type(description="A code is on its way, if the address is one.")
class OneTimeCodeSent:
    """Whether anybody is known by it is not said."""

    expires_at: datetime


@strawberry.type(description="Whoever said the code has the address: found, or enrolled at the merchant.")
class OneTimeCodeChecked:
    """The code that comes with it names them in the next call."""

    member: _Member
    created: bool = strawberry.field(description="They are new.")
    member_code: MemberCode = strawberry.field(description="As the member's app would show it.")


SendOneTimeCodeResult = Annotated[OneTimeCodeSent | Shared | TooManyAttempts, strawberry.union("SendOneTimeCodeResult")]
CheckOneTimeCodeResult = Annotated[
    OneTimeCodeChecked
    | Shared
    | TooManyAttempts
    | WrongOneTimeCode
    | MemberNotActive
    | IdentifierTaken
    | TooManyIdentifiers
    | MemberNumbersExhausted,
    strawberry.union("CheckOneTimeCodeResult"),
]


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

    @strawberry.mutation(description="Send a one-time code to a telephone or an e-mail address.")
    async def send_one_time_code(self, info: Info, input: SendOneTimeCodeInput) -> SendOneTimeCodeResult | None:
        """One at a time, and five an hour."""
        found = await answer(info, input, passcodes.send)
        return cast("Any", found) if isinstance(found, UserError) else OneTimeCodeSent(expires_at=found)

    @strawberry.mutation(description="Find or enrol who says the one-time code that was sent to their address.")
    async def check_one_time_code(self, info: Info, input: CheckOneTimeCodeInput) -> CheckOneTimeCodeResult | None:
        """Once."""
        from schema.members import Member

        found = await answer(info, input, passcodes.check)
        if isinstance(found, UserError):
            return cast("Any", found)
        member, created, code = found
        return OneTimeCodeChecked(member=Member.of(member), created=created, member_code=MemberCode.of(code))

    @strawberry.mutation(description="Sign a member out of all apps: sessions end, tokens are revoked.")
    async def sign_out_everywhere(self, info: Info, input: SignOutEverywhereInput) -> SignOutEverywhereResult | None:
        """A phone was lost, say."""
        found = await answer(info, input, sign_ins.sign_out_everywhere)
        if isinstance(found, UserError):
            return cast("Any", found)
        return SignedOut(member=strawberry.ID(ids.encode("Member", found)))
