"""Mutations of agreements, their answers and refusals."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from domain.errors import Refusal
from resolvers import agreements, ids
from resolvers.context import Context
from schema.agreements import (
    Agreement,
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
from schema.refusals import TYPES, ErrorCode, UserError


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


@strawberry.type(description="No more of these points may be issued for less than is paid for them.")
class SubsidyExhausted(UserError):
    """The budget of a subsidy is used up; figures are with its agreement."""

    currency: str
    named: strawberry.Private[str]

    @strawberry.field(description="Whose budget it is; null for all but its merchants and the operator.")
    async def agreement(self, info: Info) -> Agreement | None:
        """Rule A14."""
        found = await agreements.by_global_id(info.context, ids.encode("Agreement", UUID(self.named)))
        return None if found is None else Agreement.of(found)

    @classmethod
    def of(cls, refusal: Refusal, language: str) -> Self:
        """The refusal in words of that language."""
        return cls(
            code=ErrorCode(refusal.code),
            message=refusal.message(language),
            path=list(refusal.path),
            currency=refusal.data["currency"],
            named=refusal.data["agreement"],
        )


TYPES |= {kind.__name__: kind for kind in (UnsoundAgreement, NoticeTooShort, WrongAgreementStatus, SubsidyExhausted)}

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
