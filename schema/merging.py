"""Members who are one person: what is sent and answered when they are merged, and when that is undone."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from domain.errors import Refusal
from domain.ledger.request import Posted
from resolvers import ids, merging
from schema.answering import answer
from schema.inputs import DRY_RUN, KEY, MemberRef, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, BalanceLimitExceeded, HolderStopped, MemberNotActive, UserError
from schema.scalars import CurrencyCode, Points
from schema.showing import Named

if TYPE_CHECKING:
    from schema.members import Member

_Member = Annotated["Member", strawberry.lazy("schema.members")]


@passed_as_sent
@strawberry.input
class MergeMembersInput:
    """Who stays, and who becomes them."""

    idempotency_key: str = strawberry.field(description=KEY)
    survivor: MemberRef = strawberry.field(description="Who stays.")
    absorbed: MemberRef = strawberry.field(description="Who is closed, and is found as the survivor from then on.")
    reason: str = strawberry.field(description="Why, in words: kept with the merge.")
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class UnmergeMembersInput:
    """Whose merge is undone."""

    idempotency_key: str = strawberry.field(description=KEY)
    absorbed: MemberRef = strawberry.field(description="Who was merged, by id or number.")
    reason: str = strawberry.field(description="Why, in words: kept with it.")
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@strawberry.type(description="What of one kind of points a merge moved.")
class MergedWallet:
    """`lots` is in how many pieces, `debt` what was owed."""

    currency: CurrencyCode
    points: Points
    lots: int
    debt: Points

    @classmethod
    def of(cls, figures: Any) -> Self:
        """From what the engine answered."""
        points, debt = Points(figures["points"]), Points(figures["debt"])
        return cls(currency=figures["currency"], points=points, lots=figures["lots"], debt=debt)


@strawberry.type(description="One thing that keeps members from being merged, or a merge from being undone.")
class MergeObstacle:
    """OPEN_HOLD, JURISDICTIONS_DIFFER, STORED_VALUE_LIMIT; SPENT, EXPIRED, HELD, GIVEN, EXCHANGED, TAKEN_BACK ..."""

    kind: str
    currency: CurrencyCode | None
    points: Points | None
    hold: strawberry.ID | None


def _obstacles(refusal: Refusal) -> list[MergeObstacle]:
    found = []
    for one in refusal.data["obstacles"]:
        hold = None
        if "hold" in one:
            hold = strawberry.ID(ids.encode("Hold", UUID(one["holder"]), UUID(one["hold"])))
        points = None if one.get("points") is None else Points(one["points"])
        found.append(MergeObstacle(kind=one["kind"], currency=one.get("currency"), points=points, hold=hold))
    return found


@strawberry.type(description="The members cannot be merged as they are.")
class MergeBlocked(UserError):
    """Nothing was done."""

    obstacles: list[MergeObstacle]

    @classmethod
    def of(cls, refusal: Refusal, language: str) -> Self:
        """With all that is in the way."""
        plain = UserError.of(refusal, language)
        return cls(code=plain.code, message=plain.message, path=plain.path, obstacles=_obstacles(refusal))


@strawberry.type(description="What the merge carried is not whole any more.")
class UnmergeBlocked(UserError):
    """Nothing was done."""

    obstacles: list[MergeObstacle]

    @classmethod
    def of(cls, refusal: Refusal, language: str) -> Self:
        """With all that became of it."""
        plain = UserError.of(refusal, language)
        return cls(code=plain.code, message=plain.message, path=plain.path, obstacles=_obstacles(refusal))


@strawberry.type(description="Nobody was merged who is called so, or it was undone.")
class NotMerged(UserError):
    """Nothing was done."""


TYPES |= {
    "MergeBlocked": MergeBlocked,
    "UnmergeBlocked": UnmergeBlocked,
    "NotMerged": NotMerged,
    "MemberMerged": MemberNotActive,
}


@strawberry.type(description="Two members are one.")
class MembersMerged:
    """What it did; for a dry run, what it would do."""

    number: str = strawberry.field(description="The survivor's.")
    memberships: int = strawberry.field(description="Programmes that the survivor joined by it.")
    posted: strawberry.Private[Posted]

    @strawberry.field(description="Who stays, as they are now.")
    async def survivor(self, info: Info) -> _Member:
        """Read now."""
        from schema.members import Member

        return Member.of(await merging.shown(info.context, self.posted.holder_id))

    @strawberry.field(description="What moved, one a kind of points.")
    def moved(self) -> list[MergedWallet]:
        """As it was then."""
        return [MergedWallet.of(one) for one in merging.figures(self.posted)]


@strawberry.type(description="One is two again.")
class MemberUnmerged:
    """What it did; for a dry run, what it would do."""

    memberships: int = strawberry.field(description="Programmes that the survivor had joined by the merge.")
    posted: strawberry.Private[Posted]
    survivor_id: strawberry.Private[UUID]

    @strawberry.field(description="Who is left, as they are now.")
    async def survivor(self, info: Info) -> _Member:
        """Read now."""
        from schema.members import Member

        return Member.of(await merging.shown(info.context, self.survivor_id))

    @strawberry.field(description="Who is back; for a dry run the survivor still.")
    async def absorbed(self, info: Info) -> _Member:
        """Read now."""
        from schema.members import Member

        return Member.of(await merging.shown(info.context, self.posted.holder_id))

    @strawberry.field(description="What went back, one a kind of points.")
    def moved(self) -> list[MergedWallet]:
        """As it was then."""
        return [MergedWallet.of(one) for one in merging.figures(self.posted)]


@strawberry.type(description="Who a member was besides, before they were merged.")
class FormerMember:
    """Their number leads to the member still."""

    number: str
    merged_at: datetime


_Still = MemberNotActive | HolderStopped

MergeMembersResult = Annotated[
    MembersMerged | Named | _Still | BalanceLimitExceeded | MergeBlocked, strawberry.union("MergeMembersResult")
]
UnmergeMembersResult = Annotated[
    MemberUnmerged | Named | _Still | NotMerged | UnmergeBlocked, strawberry.union("UnmergeMembersResult")
]


@strawberry.type
class MergingMutations:
    """The operator's."""

    @strawberry.mutation(
        description="Let one member become another: wallets move lot by lot, history stays, read as the survivor's."
    )
    async def merge_members(self, info: Info, input: MergeMembersInput) -> MergeMembersResult | None:
        """All or nothing."""
        found = await answer(info, input, merging.merge)
        if isinstance(found, UserError):
            return cast("Any", found)
        survivor = await merging.shown(info.context, found.holder_id)
        return MembersMerged(number=survivor.number, memberships=found.data["memberships"], posted=found)

    @strawberry.mutation(description="Undo a merge exactly, as long as what it carried is whole.")
    async def unmerge_members(self, info: Info, input: UnmergeMembersInput) -> UnmergeMembersResult | None:
        """What was earned since stays with the survivor."""
        found = await answer(info, input, merging.unmerge)
        if isinstance(found, UserError):
            return cast("Any", found)
        posted, survivor_id = found
        return MemberUnmerged(memberships=posted.data["memberships"], posted=posted, survivor_id=survivor_id)
