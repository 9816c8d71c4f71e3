"""Mutations of agreements, their answers and refusals."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from resolvers import agreements
from resolvers.context import Context
from schema.agreements import (
    AgreementAccepted,
    AgreementEnded,
    AgreementProposed,
    AgreementRejected,
    AgreementVersionInput,
    AgreementWithdrawn,
    EndAgreementInput,
    ProposeAgreementInput,
)
from schema.answering import Sent, Shared, answer
from schema.node import Info
from schema.refusals import TYPES, UserError


@strawberry.type(description="Terms that would let someone gain from nothing (rule A3).")
class UnsoundAgreement(UserError):
    """Prices and rates between other merchants are left out."""

    reasons: list[str]
    own = ("reasons",)


@strawberry.type(description="Less notice than was agreed on.")
class NoticeTooShort(UserError):
    """Of a start, or of an end."""

    earliest: str = strawberry.field(
        description="The first day that is possible (YYYY-MM-DD), in the alliance's time zone."
    )
    own = ("earliest",)


@strawberry.type(description="The version is in another state than the step needs.")
class WrongAgreementStatus(UserError):
    """See its steps."""

    number: int
    status: str
    needed: str
    own = ("number", "status", "needed")


TYPES |= {kind.__name__: kind for kind in (UnsoundAgreement, NoticeTooShort, WrongAgreementStatus)}

_Judged = UnsoundAgreement | NoticeTooShort
ProposeAgreementResult = Annotated[AgreementProposed | Shared | _Judged, strawberry.union("ProposeAgreementResult")]
AcceptAgreementResult = Annotated[
    AgreementAccepted | Shared | _Judged | WrongAgreementStatus, strawberry.union("AcceptAgreementResult")
]
RejectAgreementResult = Annotated[
    AgreementRejected | Shared | WrongAgreementStatus, strawberry.union("RejectAgreementResult")
]
WithdrawAgreementResult = Annotated[
    AgreementWithdrawn | Shared | WrongAgreementStatus, strawberry.union("WithdrawAgreementResult")
]
EndAgreementResult = Annotated[
    AgreementEnded | Shared | NoticeTooShort | WrongAgreementStatus, strawberry.union("EndAgreementResult")
]


async def _take(
    info: Info, input: object, act: Callable[[Context, Sent], Awaitable[dict[str, Any]]], success: Any
) -> Any:
    found = await answer(info, input, act)
    return found if isinstance(found, UserError) else await success.of(info, found)


@strawberry.type
class AgreementMutations:
    """Each step is recorded with who took it and why."""

    @strawberry.mutation(description="Propose the next version of an agreement to the other merchant.")
    async def propose_agreement(self, info: Info, input: ProposeAgreementInput) -> ProposeAgreementResult | None:
        """The operator's is in force at once where the alliance says `consent: operator`."""
        return cast("Any", await _take(info, input, agreements.propose, AgreementProposed))

    @strawberry.mutation(description="Accept a version that was proposed.")
    async def accept_agreement(self, info: Info, input: AgreementVersionInput) -> AcceptAgreementResult | None:
        """It is judged anew."""
        return cast("Any", await _take(info, input, agreements.accept, AgreementAccepted))

    @strawberry.mutation(description="Say no to a version that was proposed.")
    async def reject_agreement(self, info: Info, input: AgreementVersionInput) -> RejectAgreementResult | None:
        """By whom it was proposed to."""
        return cast("Any", await _take(info, input, agreements.reject, AgreementRejected))

    @strawberry.mutation(description="Take back a version that one has proposed.")
    async def withdraw_agreement(self, info: Info, input: AgreementVersionInput) -> WithdrawAgreementResult | None:
        """While it is not in force."""
        return cast("Any", await _take(info, input, agreements.withdraw, AgreementWithdrawn))

    @strawberry.mutation(description="End what is in force between two merchants, with notice.")
    async def end_agreement(self, info: Info, input: EndAgreementInput) -> EndAgreementResult | None:
        """Rule A12."""
        return cast("Any", await _take(info, input, agreements.end, AgreementEnded))
