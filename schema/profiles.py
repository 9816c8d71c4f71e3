"""What is known of a member: attributes, preferences, tags; and telling more of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from domain.errors import Refusal
from domain.profiles import model
from domain.programs.profiles import Attribute
from resolvers import profiles
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, MemberNotActive, UserError, shown
from schema.scalars import JSON
from schema.showing import Named

LazyMember = Annotated["Member", strawberry.lazy("schema.members")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.enum(description="What an attribute takes.")
class AttributeType(StrEnum):
    """As in the alliance file."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    CHOICES = "choices"


@strawberry.type(description="Something that may be known of members, as the alliance file declares it.")
class AttributeDefinition:
    """Whose it is, what it takes, and what this caller may do with it."""

    code: str
    name: str
    type: AttributeType
    choices: list[str] | None = strawberry.field(description="The words there are; null for other types.")
    personal: bool = strawberry.field(description="Whether it is sealed, and no filter sees it.")
    findable: bool = strawberry.field(description="Whether members are found by it: a personal one by all of it.")
    readable: bool = strawberry.field(description="Whether the caller sees it.")
    writable: bool = strawberry.field(description="Whether the caller sets it.")
    row: strawberry.Private[Attribute]

    @strawberry.field(description="Whose attribute it is; null for the alliance's.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        return _merchant(info, self.row.merchant)

    @classmethod
    def all(cls, info: Info) -> list[Self]:
        """Those that the caller may see or set, by code."""
        declared = profiles.declared(info.context)
        return [cls.of(attribute, readable, writable) for attribute, readable, writable in declared]

    @classmethod
    def of(cls, row: Attribute, readable: bool, writable: bool) -> Self:
        """From the catalogue."""
        return cls(
            code=row.code,
            name=row.name,
            type=AttributeType(row.type),
            choices=list(row.choices) if row.choices else None,
            personal=row.personal,
            findable=readable and (row.find or not row.personal),
            readable=readable,
            writable=writable,
            row=row,
        )


@strawberry.type(description="What is known of a member by one attribute.")
class MemberAttribute:
    """One an attribute; what is not known is not listed."""

    code: str
    value: JSON = strawberry.field(description="By its type; decimals and dates are text.")
    set_at: datetime
    merchant_id: strawberry.Private[UUID | None]

    @strawberry.field(description="Its name, for people.")
    def name(self, info: Info) -> str:
        """From the catalogue."""
        return info.context.runtime.catalogue.members.attributes[self.code].name

    @strawberry.field(description="Which merchant told it; null: the member, or the operator.")
    def told_by(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        found = info.context.runtime.catalogue.merchants_by_id
        return None if self.merchant_id is None else Merchant.of(found[self.merchant_id])

    @classmethod
    def of(cls, row: model.Known) -> Self:
        """From the database."""
        return cls(code=row.code, value=JSON(row.value), set_at=row.set_at, merchant_id=row.merchant_id)


@strawberry.type(description="In which language a member is written to, and by whose clock.")
class Preferences:
    """Null: not known. By which channels they may be written to, consents say."""

    language: str | None = None
    timezone: str | None = None


@strawberry.type(description="A word about a member.")
class MemberTag:
    """Put by hand, or by a rule."""

    code: str
    by_rule: bool = strawberry.field(description="Whether a rule of the alliance file put it, and takes it away.")
    tagged_at: datetime
    owner_id: strawberry.Private[UUID]

    @strawberry.field(description="Its name, for people: that of the alliance file, else its code.")
    def name(self, info: Info) -> str:
        """From the catalogue."""
        found = profiles.declared_tag(info.context, self.owner_id, self.code)
        return self.code if found is None else found.name

    @strawberry.field(description="Whose tag it is; null for the alliance's.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        found = info.context.runtime.catalogue.merchants_by_id.get(self.owner_id)
        return None if found is None else Merchant.of(found)

    @classmethod
    def of(cls, row: model.MemberTag) -> Self:
        """From the database."""
        return cls(code=row.code, by_rule=row.ruled, tagged_at=row.tagged_at, owner_id=row.owner_id)


def _merchant(info: Info, code: str | None) -> Merchant | None:
    return None if code is None else Merchant.of(info.context.runtime.catalogue.merchants[code])


@strawberry.type(description="No attribute of this name is declared, or it is out of the caller's reach.")
class UnknownAttribute(UserError):
    """`path` says which."""

    attribute: str
    own = ("attribute",)


@strawberry.type(description="The attribute does not take this value.")
class UnfitAttribute(UserError):
    """See what it takes."""

    attribute: str
    expected: str
    own = ("attribute", "expected")


@strawberry.type(description="The caller may not set the attribute.")
class AttributeReadOnly(UserError):
    """Others may."""

    attribute: str
    own = ("attribute",)


@strawberry.type(description="The tag is put by a rule of the alliance file, and not by hand.")
class TagByRule(UserError):
    """The rule is run each night."""

    tag: str
    own = ("tag",)


TYPES |= {kind.__name__: kind for kind in (UnknownAttribute, UnfitAttribute, AttributeReadOnly, TagByRule)}


@passed_as_sent
@strawberry.input
class UpdateMemberInput:
    """What is left out stays as it is."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    merchant: str | None = strawberry.field(
        default=strawberry.UNSET, description="The code of the merchant where it was told; default the caller's own."
    )
    profile: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Attributes by their codes; null takes what is known away."
    )
    language: str | None = strawberry.field(
        default=strawberry.UNSET, description="The language they are written to in (BCP 47), such as zh-CN."
    )
    timezone: str | None = strawberry.field(
        default=strawberry.UNSET, description="IANA name: by whose clock quiet hours are."
    )


@passed_as_sent
@strawberry.input
class TagMembersInput:
    """At most 500 members."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whose tag it is, by its code; default the caller's own, and the alliance's for the operator.",
    )
    tag: str = strawberry.field(description="Small letters, digits, - and _; need not be declared.")
    members: list[MemberRef]


@strawberry.type(description="What was told is kept.")
class MemberUpdated:
    """Attributes that were so already did not change."""

    changed: list[str] = strawberry.field(description="The attributes that changed.")
    member: LazyMember


@strawberry.type(description="What became of one of many.")
class TagResult:
    """In the order of the input."""

    changed: bool = strawberry.field(description="False if it was so already, or was refused.")
    refusal: UserError | None = strawberry.field(description="Why not; the others are not affected.")
    member_id: strawberry.Private[UUID | None]

    @strawberry.field(description="Null if they are out of reach.")
    async def member(self, info: Info) -> LazyMember | None:
        """Loaded together."""
        from schema.members import Member

        found = None if self.member_id is None else await info.context.loaders.members.load(self.member_id)
        return None if found is None else Member.of(found)

    @classmethod
    def of(cls, result: dict[str, Any], language: str) -> Self:
        """From what was remembered."""
        refusal = result.get("refusal")
        return cls(
            changed=result.get("changed", False),
            refusal=None if refusal is None else shown(Refusal.from_json(refusal), language),
            member_id=UUID(result["member"]) if "member" in result else None,
        )


@strawberry.type(description="A tag was put on members, as far as they are in reach.")
class MembersTagged:
    """One bad reference does not keep the others."""

    results: list[TagResult]


@strawberry.type(description="A tag was taken off members, as far as they are in reach.")
class MembersUntagged:
    """One bad reference does not keep the others."""

    results: list[TagResult]


UpdateMemberResult = Annotated[
    MemberUpdated | Named | MemberNotActive | UnknownAttribute | UnfitAttribute | AttributeReadOnly,
    strawberry.union("UpdateMemberResult"),
]
TagMembersResult = Annotated[MembersTagged | Named | TagByRule, strawberry.union("TagMembersResult")]
UntagMembersResult = Annotated[MembersUntagged | Named | TagByRule, strawberry.union("UntagMembersResult")]


async def _tagged(info: Info, input: object, success: Any, *, on: bool) -> Any:
    found = await answer(info, input, lambda context, sent: profiles.tag(context, sent, on=on))
    if isinstance(found, UserError):
        return found
    return success(results=[TagResult.of(result, info.context.language) for result in found])


@strawberry.type
class ProfileMutations:
    """What is told of members."""

    @strawberry.mutation(description="Keep what is told of a member: attributes, language, time zone.")
    async def update_member(self, info: Info, input: UpdateMemberInput) -> UpdateMemberResult | None:
        """As far as the caller may set them."""
        from schema.members import Member

        found = await answer(info, input, profiles.update)
        if isinstance(found, UserError):
            return cast("Any", found)
        row = await info.context.loaders.members.load(UUID(found["member"]))
        assert row is not None
        return MemberUpdated(changed=found["changed"], member=Member.of(row))

    @strawberry.mutation(description="Put a tag on at most 500 members.")
    async def tag_members(self, info: Info, input: TagMembersInput) -> TagMembersResult | None:
        """One answer each."""
        return cast("Any", await _tagged(info, input, MembersTagged, on=True))

    @strawberry.mutation(description="Take a tag off at most 500 members.")
    async def untag_members(self, info: Info, input: TagMembersInput) -> UntagMembersResult | None:
        """One answer each."""
        return cast("Any", await _tagged(info, input, MembersUntagged, on=False))
