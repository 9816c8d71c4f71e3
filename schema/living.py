"""The life of a member: frozen, restored; what is sent and answered."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.feed.history import Change
from alliance.leaving.model import Fate
from domain.events.kinds import EventKind
from domain.members import model
from domain.members.reasons import CloseReason, FreezeReason
from domain.stages import model as stages
from resolvers import events, life
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, MemberNotActive, UserError
from schema.scalars import JSON, Points
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
    row: strawberry.Private[model.Member]

    @strawberry.field(description="What else there is to say of it; for the operator.")
    async def note(self, info: Info) -> str | None:
        """Sealed under the member's key."""
        return await life.note_of(info.context, self.row)

    @classmethod
    def of(cls, row: model.Member, as_of: datetime) -> Self | None:
        """From a row; None for who is not frozen then."""
        if row.status_at(as_of) != model.MemberStatus.FROZEN:
            return None
        reason = None if row.status_reason is None else FreezeReason(row.status_reason)
        return cls(since=row.status_since or row.joined_at, until=row.frozen_until, reason=reason, row=row)


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


strawberry.enum(CloseReason, description="Why a member leaves.")
strawberry.enum(Fate, description="What becomes of what a member leaves behind.")


@strawberry.type(description="That a member leaves, or has left.")
class MemberLeaving:
    """Until they are closed, they may think better of it."""

    asked_at: datetime
    closes_at: datetime = strawberry.field(description="When they are closed.")
    reason: CloseReason
    settled: bool = strawberry.field(description="Whether nothing is left of them, but what the law has them keep.")

    @classmethod
    def of(cls, row: model.MemberClosing) -> Self:
        """From a row."""
        reason = CloseReason(row.reason)
        return cls(asked_at=row.asked_at, closes_at=row.closes_at, reason=reason, settled=row.settled_at is not None)


@strawberry.type(description="Points that a member leaves behind, and what becomes of them.")
class ClosingEnd:
    """As it was when they asked."""

    currency: str
    points: Points
    fate: Fate


@strawberry.type(description="The member has not asked to leave, or has left.")
class MemberNotLeaving(UserError):
    """There is nothing to withdraw."""


@strawberry.type(description="The member is active.")
class MemberNotFrozen(UserError):
    """There is nothing to restore."""


TYPES |= {kind.__name__: kind for kind in (MemberNotFrozen, MemberNotLeaving)}


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
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="What else there is to say; kept sealed, for the operator alone."
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


@passed_as_sent
@strawberry.input
class CloseMemberInput:
    """Who leaves, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    reason: CloseReason = strawberry.field(
        default=CloseReason.MEMBER_ASKED, description="A member leaves by their own wish, whatever it says."
    )
    beneficiary: MemberRef | None = strawberry.field(
        default=strawberry.UNSET, description="Who gets the points of programmes that give them."
    )
    dry_run: bool = strawberry.field(default=False, description="What would become of everything; nothing is written.")


@passed_as_sent
@strawberry.input
class WithdrawClosingInput:
    """Who stays."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef


@strawberry.type(description="The member leaves: now, or at closesAt.")
class MemberClosed:
    """For good. What is left of them is settled by operations of their own."""

    member: _Member
    closes_at: datetime = strawberry.field(description="When they are closed; until then they may stay.")
    ends: list[ClosingEnd] = strawberry.field(description="What becomes of their points, as of now.")
    holds: int = strawberry.field(description="How many holds are given back.")
    pending: int = strawberry.field(description="How many earns wait: they are dropped.")
    rights: int = strawberry.field(description="How many rights are cancelled.")
    pools: int = strawberry.field(description="How many pools are left.")

    @classmethod
    def of(cls, found: life.Closed) -> Self:
        """From what was done."""
        left = found.left
        return cls(
            member=_member(found.member),
            closes_at=found.closes_at,
            ends=[ClosingEnd(currency=end.currency, points=Points(end.points), fate=end.fate) for end in found.ends],
            holds=left.holds,
            pending=left.pending,
            rights=left.rights,
            pools=left.pools,
        )


@strawberry.type(description="The member stays.")
class ClosingWithdrawn:
    """As if they had not asked."""

    member: _Member


CloseMemberResult = Annotated[MemberClosed | Named | MemberNotActive, strawberry.union("CloseMemberResult")]
WithdrawClosingResult = Annotated[
    ClosingWithdrawn | Named | MemberNotLeaving, strawberry.union("WithdrawClosingResult")
]
FreezeMemberResult = Annotated[MemberFrozen | Named | MemberNotActive, strawberry.union("FreezeMemberResult")]
RestoreMemberResult = Annotated[
    MemberRestored | Named | MemberNotActive | MemberNotFrozen, strawberry.union("RestoreMemberResult")
]


def _member(row: model.Member) -> "Member":
    from schema.members import Member

    return Member.of(row)


@strawberry.type
class LivingMutations:
    """The operator's; members leave by themselves."""

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

    @strawberry.mutation(description="Have a member leave, for good; a dry run says what would become of everything.")
    async def close_member(self, info: Info, input: CloseMemberInput) -> CloseMemberResult | None:
        """By their own wish after the days that the alliance gives them to think."""
        found = await answer(info, input, life.close)
        return cast("Any", found if isinstance(found, UserError) else MemberClosed.of(found))

    @strawberry.mutation(description="A member who asked to leave stays.")
    async def withdraw_closing(self, info: Info, input: WithdrawClosingInput) -> WithdrawClosingResult | None:
        """Before they are closed."""
        found = await answer(info, input, life.stay)
        return cast("Any", found if isinstance(found, UserError) else ClosingWithdrawn(member=_member(found)))
