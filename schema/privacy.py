"""What a person may ask of the house about themselves: all that is known of them, and to be forgotten."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import strawberry

from domain.privacy.reasons import ErasureReason
from resolvers import privacy
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, UserError
from schema.scalars import JSON
from schema.showing import Named

if TYPE_CHECKING:
    from schema.members import Member

strawberry.enum(ErasureReason, description="Why somebody is forgotten.")


@strawberry.type(description="The member's data must be kept for now.")
class UnderLegalHold(UserError):
    """Erasure waits for its end."""

    until: str | None = strawberry.field(description="Until then; null: until the hold is released.")
    since = ("until",)


@strawberry.type(description="The member was erased before.")
class AlreadyErased(UserError):
    """There is nothing left."""


TYPES |= {kind.__name__: kind for kind in (UnderLegalHold, AlreadyErased)}


@passed_as_sent
@strawberry.input
class EraseMemberInput:
    """Whom, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    reason: ErasureReason


@passed_as_sent
@strawberry.input
class PlaceLegalHoldInput:
    """Whose data, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    reason: str = strawberry.field(description="Such as the number of a case; without personal data.")
    until: datetime | None = strawberry.field(default=strawberry.UNSET, description="Left out, until it is released.")


@passed_as_sent
@strawberry.input
class ReleaseLegalHoldInput:
    """Whose data."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef


_Member = Annotated["Member", strawberry.lazy("schema.members")]


@strawberry.type(description="The member is nobody any more; the books are as they were.")
class MemberErased:
    """Closed, recognised by nothing, and without a key."""

    member: _Member


@strawberry.type(description="The member's data are kept.")
class LegalHoldPlaced:
    """Erasure is refused as long as this lasts."""

    member: _Member


@strawberry.type(description="No legal hold keeps the member's data any more.")
class LegalHoldReleased:
    """They may be erased."""

    member: _Member
    released: int = strawberry.field(description="How many there were.")


EraseMemberResult = Annotated[
    MemberErased | Named | UnderLegalHold | AlreadyErased, strawberry.union("EraseMemberResult")
]
PlaceLegalHoldResult = Annotated[LegalHoldPlaced | Named, strawberry.union("PlaceLegalHoldResult")]
ReleaseLegalHoldResult = Annotated[LegalHoldReleased | Named, strawberry.union("ReleaseLegalHoldResult")]


def _member(row: Any) -> Any:
    from schema.members import Member

    return Member.of(row)


@strawberry.type(description="All that is known of a person.")
class MemberExport:
    """As of the moment it was asked for."""

    data: JSON = strawberry.field(description="One object: `format`, `madeAt`, who they are, and a list a kind of row.")


@strawberry.type
class PrivacyMutations:
    """Forgetting, and keeping."""

    @strawberry.mutation(description="Forget a person: destroy their key, and keep the books.")
    async def erase_member(self, info: Info, input: EraseMemberInput) -> EraseMemberResult | None:
        """Not undone by anything."""
        found = await answer(info, input, privacy.erase)
        return cast("Any", found if isinstance(found, UserError) else MemberErased(member=_member(found)))

    @strawberry.mutation(description="Keep what is known of a member, whoever asks for its erasure.")
    async def place_legal_hold(self, info: Info, input: PlaceLegalHoldInput) -> PlaceLegalHoldResult | None:
        """There may be several."""
        found = await answer(info, input, privacy.place_hold)
        return cast("Any", found if isinstance(found, UserError) else LegalHoldPlaced(member=_member(found[0])))

    @strawberry.mutation(description="End all legal holds on a member's data.")
    async def release_legal_hold(self, info: Info, input: ReleaseLegalHoldInput) -> ReleaseLegalHoldResult | None:
        """From now on they may be erased."""
        found = await answer(info, input, privacy.release_hold)
        if isinstance(found, UserError):
            return cast("Any", found)
        return cast("Any", LegalHoldReleased(member=_member(found[0]), released=found[1]["released"]))


@strawberry.type
class PrivacyQueries:
    """For a member about themselves, and for the operator."""

    @strawberry.field(description="All that is known of a person; null for who is not in reach or was erased.")
    async def export_member(self, info: Info, by: MemberRef) -> MemberExport | None:
        """What merchants agreed with each other is not in it."""
        found = await privacy.export(info.context, cast("Any", by))
        return None if found is None else MemberExport(data=JSON(found))
