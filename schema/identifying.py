"""By what members are recognised: enrolled with it, linked, proved, taken away."""

from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from resolvers import identifying, members
from schema.answering import Shared, answer
from schema.inputs import KEY, EnrolMemberInput, IdentifierInput, MemberRef, passed_as_sent
from schema.members import Member
from schema.node import Info
from schema.profiles import AttributeReadOnly, UnfitAttribute, UnknownAttribute
from schema.refusals import IdentifierTaken, MemberNotActive, UserError
from schema.refusing_identifiers import (
    IdentifierNotVerified,
    LastIdentifier,
    MemberNumbersExhausted,
    TooManyIdentifiers,
)
from schema.showing import Named
from schema.signing_in import TooManyAttempts, WrongOneTimeCode


@passed_as_sent
@strawberry.input
class LinkIdentifierInput:
    """One identifier more for a member."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(
        description="The code of the merchant where it was presented; a member names one they have joined."
    )
    member: MemberRef
    identifier: IdentifierInput
    verified: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether it was proved to be the member's, for types where that is needed; default: whether the"
        " client has the scope identifiers:verify. One that was not is kept, and identifies nobody.",
    )


@passed_as_sent
@strawberry.input
class VerifyIdentifierInput:
    """An identifier that a member has."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where it was proved.")
    member: MemberRef
    identifier: IdentifierInput
    code: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What sendOneTimeCode sent to it; without, the client vouches for it, with the scope"
        " identifiers:verify.",
    )


@passed_as_sent
@strawberry.input
class UnlinkIdentifierInput:
    """An identifier that a member has."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where that was said.")
    member: MemberRef
    identifier: IdentifierInput
    number_alone: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Let it be the last: their number remains to recognise them by."
    )


@strawberry.type(description="A member was found or created, and has joined the merchant's programme.")
class Enrolled:
    """Each flag says what this call did."""

    created: bool = strawberry.field(description="The member is new.")
    joined: bool = strawberry.field(description="The membership is new.")
    member: Member


@strawberry.type(description="A member is recognised by one identifier more.")
class Linked:
    """Linking it again changes nothing."""

    linked: bool = strawberry.field(description="False if that changed nothing.")
    merged: bool = strawberry.field(
        description="It belonged to another, who has become this member (`onTaken: merge` in the alliance file)."
    )
    member: Member


@strawberry.type(description="The identifier is the member's from now on.")
class Verified:
    """It identifies them."""

    verified: bool = strawberry.field(description="False if it identified them already.")
    member: Member


@strawberry.type(description="The member is no longer recognised by the identifier.")
class Unlinked:
    """It is free for others."""

    unlinked: bool = strawberry.field(description="False if they were not recognised by it.")
    member: Member


EnrolMemberResult = Annotated[
    Enrolled
    | Shared
    | MemberNotActive
    | IdentifierTaken
    | IdentifierNotVerified
    | TooManyIdentifiers
    | MemberNumbersExhausted
    | UnknownAttribute
    | UnfitAttribute
    | AttributeReadOnly,
    strawberry.union("EnrolMemberResult"),
]
LinkIdentifierResult = Annotated[
    Linked | Named | MemberNotActive | IdentifierTaken | TooManyIdentifiers, strawberry.union("LinkIdentifierResult")
]
VerifyIdentifierResult = Annotated[
    Verified | Named | MemberNotActive | IdentifierTaken | TooManyAttempts | WrongOneTimeCode,
    strawberry.union("VerifyIdentifierResult"),
]
UnlinkIdentifierResult = Annotated[
    Unlinked | Named | MemberNotActive | LastIdentifier, strawberry.union("UnlinkIdentifierResult")
]


async def _member(info: Info, member_id: str) -> Member:
    found = await info.context.loaders.members.load(UUID(member_id))
    if found is None:
        raise LookupError("a member that was just written is not there")
    return Member.of(found)


@strawberry.type
class IdentifyingMutations:
    """At any channel."""

    @strawberry.mutation(description="Find or create a member, by any identifier, at any channel; and let them join.")
    async def enrol_member(self, info: Info, input: EnrolMemberInput) -> EnrolMemberResult | None:
        """Two tills at once make one member."""
        found = await answer(info, input, members.enrol)
        if isinstance(found, UserError):
            return cast("Any", found)
        member = await _member(info, found["member"])
        return Enrolled(created=found["created"], joined=found["joined"], member=member)

    @strawberry.mutation(description="Let a member be recognised by one identifier more.")
    async def link_identifier(self, info: Info, input: LinkIdentifierInput) -> LinkIdentifierResult | None:
        """Linking it again changes nothing."""
        found = await answer(info, input, identifying.link)
        if isinstance(found, UserError):
            return cast("Any", found)
        merged = found.get("merged", False)
        return Linked(linked=found["linked"], merged=merged, member=await _member(info, found["member"]))

    @strawberry.mutation(description="Say that an identifier of a member's was proved to be theirs.")
    async def verify_identifier(self, info: Info, input: VerifyIdentifierInput) -> VerifyIdentifierResult | None:
        """From then on it identifies them."""
        found = await answer(info, input, identifying.verify)
        if isinstance(found, UserError):
            return cast("Any", found)
        return Verified(verified=found["verified"], member=await _member(info, found["member"]))

    @strawberry.mutation(description="Let a member no longer be recognised by an identifier.")
    async def unlink_identifier(self, info: Info, input: UnlinkIdentifierInput) -> UnlinkIdentifierResult | None:
        """Points, rights and history stay theirs."""
        found = await answer(info, input, identifying.unlink)
        if isinstance(found, UserError):
            return cast("Any", found)
        return Unlinked(unlinked=found["unlinked"], member=await _member(info, found["member"]))
