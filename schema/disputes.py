"""Objections to lines of a statement: what is sent, answered and seen (A10)."""

from typing import Annotated, Any, cast

import strawberry

from alliance.disputes import model
from resolvers import disputes
from schema.answering import Shared, answer
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, UserError, WrongCycleStatus
from schema.settlement import SettlementCycle


@strawberry.type(description="Objections to this statement are not heard any more.")
class ObjectionTooLate(UserError):
    """What is wrong is claimed after it was settled."""

    until: str
    own = ("until",)


@strawberry.type(description="The line is not as the objection says.")
class ObjectionUnfounded(UserError):
    """As far as a machine can tell."""

    reason: str
    own = ("reason",)


@strawberry.type(description="Too much of what two merchants owe each other would be in dispute.")
class ObjectionLimitExceeded(UserError):
    """Both are amounts of the settlement currency."""

    cap: str
    used: str
    own = ("cap", "used")


@strawberry.type(description="This line is in dispute already.")
class AlreadyObjected(UserError):
    """Once is enough."""


TYPES |= {
    kind.__name__: kind for kind in (ObjectionTooLate, ObjectionUnfounded, ObjectionLimitExceeded, AlreadyObjected)
}


@passed_as_sent
@strawberry.input
class ObjectedLineInput:
    """A line, why, and what the reason needs."""

    line: strawberry.ID = strawberry.field(description="Obligation.line.")
    reason: model.ObjectionReason
    expected: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="WRONG_AMOUNT: what the line should be; WRONG_PRICE: what a point should cost.",
    )
    other: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="DUPLICATE: the line that bills the same."
    )


@passed_as_sent
@strawberry.input
class ObjectToLinesInput:
    """Lines of one's own statement of a cycle, all or none."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    lines: list[ObjectedLineInput]


@strawberry.type(description="The lines left the net; the rest is settled.")
class Objected:
    """Until the dispute is decided they lie in suspense."""

    cycle: SettlementCycle


ObjectToLinesResult = Annotated[
    Objected
    | Shared
    | WrongCycleStatus
    | ObjectionTooLate
    | ObjectionUnfounded
    | ObjectionLimitExceeded
    | AlreadyObjected,
    strawberry.union("ObjectToLinesResult"),
]


@strawberry.type
class DisputeMutations:
    """What merchants do about each other's lines."""

    @strawberry.mutation(description="Object to lines of one's statement, for reasons that a machine can check.")
    async def object_to_lines(self, info: Info, input: ObjectToLinesInput) -> ObjectToLinesResult | None:
        """Until the deadline, and to a tenth of what the two owe each other at most."""
        found = await answer(info, input, disputes.object_)
        return cast("Any", found if isinstance(found, UserError) else Objected(cycle=SettlementCycle.of(found)))
