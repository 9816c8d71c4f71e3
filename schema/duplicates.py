"""Pairs of members who may be one person: the operator's work queue."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast

import strawberry

from domain.duplicates import model
from domain.money import unscaled
from resolvers import duplicates, ids
from resolvers.pages import window
from schema.answering import Sent, answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.members import Member
from schema.merging import MergeBlocked
from schema.node import Connection, Info, Node
from schema.refusals import BalanceLimitExceeded, HolderStopped, MemberNotActive, UserError
from schema.scalars import Decimal
from schema.showing import Named

strawberry.enum(
    model.CandidateStatus,
    description="PROPOSED to people, put off for LATER, NOT_SAME: never proposed again, or MERGED.",
)


@strawberry.enum(description="MERGE the two; NOT_SAME: never propose the pair again; LATER: put it off.")
class DuplicateDecision(StrEnum):
    """What somebody says of a pair."""

    MERGE = "MERGE"
    NOT_SAME = "NOT_SAME"
    LATER = "LATER"


@strawberry.type(description="How the two compare in something, and what that is worth.")
class DuplicateFeature:
    """Without the values."""

    name: str = strawberry.field(description="name, birthday, phone, email, address or stores.")
    comparison: str = strawberry.field(
        description="same, alike, other; turned: day and month changed places; of stores: shared, none."
    )
    weight: Decimal = strawberry.field(
        description="In bits: each makes it twice as probable that they are one person; below zero, half."
    )


@strawberry.type(description="Two members who may be one person.")
class DuplicateCandidate(Node):
    """With why."""

    probability: Decimal = strawberry.field(description="That they are one person: from 0 to 1.")
    exact: bool = strawberry.field(description="They have a telephone number or an e-mail address in common.")
    features: list[DuplicateFeature] = strawberry.field(description="What is known of both.")
    status: model.CandidateStatus
    found_at: datetime
    decided_at: datetime | None
    note: str | None = strawberry.field(description="The decider's.")
    row: strawberry.Private[model.DuplicateCandidate]

    @strawberry.field(description="The two.")
    async def members(self, info: Info) -> list[Member]:
        """By id."""
        found = await info.context.loaders.members.load_many([self.row.one_id, self.row.other_id])
        return [Member.of(one) for one in found if one is not None]

    @classmethod
    def of(cls, row: model.DuplicateCandidate) -> Self:
        """From a row."""
        return cls(
            id=strawberry.ID(ids.encode("DuplicateCandidate", row.one_id, row.other_id)),
            probability=Decimal(unscaled(row.probability, 6)),
            exact=row.exact,
            features=[
                DuplicateFeature(name=name, comparison=how, weight=Decimal(unscaled(weight, 2)))
                for name, (how, weight) in row.features.items()
            ],
            status=model.CandidateStatus(row.status),
            found_at=row.found_at,
            decided_at=row.decided_at,
            note=row.note,
            row=row,
        )


@passed_as_sent
@strawberry.input
class DuplicateFilter:
    """Which pairs."""

    status: model.CandidateStatus | None = strawberry.field(default=strawberry.UNSET, description="Default: PROPOSED.")
    least_probability: Decimal | None = strawberry.field(default=strawberry.UNSET, description="From this one on.")
    member: MemberRef | None = strawberry.field(default=strawberry.UNSET, description="Of this member.")


@passed_as_sent
@strawberry.input
class DecideDuplicateInput:
    """What somebody decided who looked at both."""

    idempotency_key: str = strawberry.field(description=KEY)
    candidate: strawberry.ID
    decision: DuplicateDecision
    note: str | None = strawberry.field(default=strawberry.UNSET, description="At most 500 characters.")
    survivor: MemberRef | None = strawberry.field(
        default=strawberry.UNSET, description="Whom the other becomes; by default who joined first."
    )


@strawberry.type(description="It was kept.")
class DuplicateDecided:
    """It may be decided anew."""

    candidate: DuplicateCandidate


DecideDuplicateResult = Annotated[
    DuplicateDecided | Named | MemberNotActive | HolderStopped | BalanceLimitExceeded | MergeBlocked,
    strawberry.union("DecideDuplicateResult"),
]


@strawberry.type
class DuplicateQueries:
    """The operator's."""

    @strawberry.field(description="Pairs of members who may be one person, the most probable first.")
    async def duplicate_candidates(
        self,
        info: Info,
        filter: DuplicateFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[DuplicateCandidate]:
        """Forwards."""
        asked = window(duplicates.SHAPE, first, after, last, before)
        wanted = cast("Sent", filter or {})
        return Connection[DuplicateCandidate].of(
            await duplicates.listed(info.context, asked, wanted), DuplicateCandidate.of
        )


@strawberry.type
class DuplicateMutations:
    """The operator's."""

    @strawberry.mutation(description="Say what is to become of a pair.")
    async def decide_duplicate(self, info: Info, input: DecideDuplicateInput) -> DecideDuplicateResult | None:
        """Whoever decides has looked at both."""
        found = await answer(info, input, duplicates.decide)
        shown = found if isinstance(found, UserError) else DuplicateDecided(candidate=DuplicateCandidate.of(found))
        return cast("Any", shown)
