"""The life of a member: frozen, restored; what is sent and answered."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.feed.history import Change
from domain.events.kinds import EventKind
from domain.members import model
from domain.members.reasons import FreezeReason
from domain.stages import model as stages
from resolvers import events, life
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, MemberNotActive, UserError
from schema.scalars import JSON
from schema.showing import Named

if TYPE_CHECKING:
    from schema.members import Member


strawberry.enum(FreezeReason, description="Why a member is frozen.")


@strawberry.type(description="That a member may look, and moves nothing.")
class MemberFreeze:
    """Until its end, or until they are restored."""

    since: datetime
    until: datetime | None = strawberry.field(description="When it ends by itself; null: when somebody says so.")
    reason: FreezeReason | None = strawberry.field(description="For the operator.")

    @classmethod
    def of(cls, row: model.Member, as_of: datetime) -> Self | None:
        """From a row; None for who is not frozen then."""
        if row.status_at(as_of) != model.MemberStatus.FROZEN:
            return None
        reason = None if row.status_reason is None else FreezeReason(row.status_reason)
        return cls(since=row.status_since or row.joined_at, until=row.frozen_until, reason=reason)


@strawberry.type(description="How long ago a member bought, as of last night.")
class MemberStage:
    """At a merchant, or anywhere."""

    stage: stages.LifeStage
    since: datetime = strawberry.field(description="When the stage began.")
    bought_at: datetime | None = strawberry.field(description="When they bought last.")
    merchant_id: strawberry.Private[UUID]

    @strawberry.field(description="At which merchant; null: anywhere.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        known = info.context.runtime.catalogue.merchants_by_id.get(self.merchant_id)
        return None if known is None else Merchant.of(known)

    @classmethod
    def of(cls, row: stages.MemberStage) -> Self:
        """From a row."""
        return cls(
            stage=stages.LifeStage(row.stage), since=row.since, bought_at=row.bought_at, merchant_id=row.merchant_id
        )


@strawberry.type(description="Something that became of a member.")
class MemberChange:
    """An event that lies under them."""

    id: strawberry.ID = strawberry.field(description="That of the event.")
    kind: EventKind
    at: datetime = strawberry.field(description="When it was booked.")
    data: JSON = strawberry.field(description="As in the event.")
    reason: str | None = strawberry.field(description="Why, as a word that was kept with it; for the operator.")

    @classmethod
    def of(cls, change: Change, info: Info) -> Self:
        """As its viewer is told."""
        happened = change.happened
        return cls(
            id=strawberry.ID(events.global_id(happened)),
            kind=EventKind(happened.kind),
            at=happened.at,
            data=JSON(life.told_of(info.context, change)),
            reason=change.reason,
        )


@strawberry.type(description="The member is active.")
class MemberNotFrozen(UserError):
    """There is nothing to restore."""


TYPES |= {"MemberNotFrozen": MemberNotFrozen}


@passed_as_sent
@strawberry.input
class FreezeMemberInput:
    """Whom, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    reason: FreezeReason
    until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When it ends by itself; left out, when somebody says so."
    )


@passed_as_sent
@strawberry.input
class RestoreMemberInput:
    """Whom, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    reason: str = strawberry.field(description="A word for the history, without personal data.")


_Member = Annotated["Member", strawberry.lazy("schema.members")]


@strawberry.type(description="The member may look, and moves nothing.")
class MemberFrozen:
    """In every process, from the next posting on."""

    member: _Member


@strawberry.type(description="The member moves points again.")
class MemberRestored:
    """From the next posting on."""

    member: _Member


FreezeMemberResult = Annotated[MemberFrozen | Named | MemberNotActive, strawberry.union("FreezeMemberResult")]
RestoreMemberResult = Annotated[
    MemberRestored | Named | MemberNotActive | MemberNotFrozen, strawberry.union("RestoreMemberResult")
]


def _member(row: model.Member) -> "Member":
    from schema.members import Member

    return Member.of(row)


@strawberry.type
class LivingMutations:
    """The operator's."""

    @strawberry.mutation(description="Let a member look and move nothing, for a while or until they are restored.")
    async def freeze_member(self, info: Info, input: FreezeMemberInput) -> FreezeMemberResult | None:
        """Asked again, with another reason or end."""
        found = await answer(info, input, life.freeze)
        return cast("Any", found if isinstance(found, UserError) else MemberFrozen(member=_member(found)))

    @strawberry.mutation(description="Let a frozen member move points again.")
    async def restore_member(self, info: Info, input: RestoreMemberInput) -> RestoreMemberResult | None:
        """Before its end, or where it has none."""
        found = await answer(info, input, life.restore)
        return cast("Any", found if isinstance(found, UserError) else MemberRestored(member=_member(found)))
