"""Four eyes: what was asked for, what is sent to decide it, and what is answered (A16)."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.approvals import model
from resolvers import approvals, ids
from resolvers.cycles import who_was
from resolvers.pages import window
from schema.answering import Shared, answer
from schema.clearing_policies import APPROVALS
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.refusals import TYPES, UserError
from schema.scalars import JSON

strawberry.enum(
    model.ApprovalStatus,
    description="WAITING until a second person says yes (APPROVED, and done) or no, or who asked takes it back.",
)


@strawberry.type(description="An act by hand that takes a second person: nothing was done before it is APPROVED.")
class Approval(Node):
    """Kept for good."""

    act: str = strawberry.field(description="What is to be done, such as WRITE_OFF.")
    args: JSON = strawberry.field(description="To what: exactly this is done, or nothing.")
    reason: str
    status: model.ApprovalStatus
    asked_at: datetime
    decided_at: datetime | None
    decision: str | None = strawberry.field(description="Why it was decided so.")
    outcome: JSON | None = strawberry.field(description="What the act answered when it was done.")
    row: strawberry.Private[model.Approval]

    @strawberry.field(description="For how much; null where there is no amount.")
    def amount(self, info: Info) -> Money | None:
        """In the settlement currency."""
        if self.row.amount is None:
            return None
        currency = info.context.runtime.catalogue.alliance.settlement_currency
        return Money.of_micro(self.row.amount, currency)

    @strawberry.field(description="Whose people decide; null: the operator's.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        owner = self.row.merchant_id
        found = None if owner is None else info.context.runtime.catalogue.merchants_by_id.get(owner)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="Who asked for it.")
    def asked_by(self, info: Info) -> str:
        """A client, or the command line."""
        return who_was(info.context, self.row.asked_by)

    @strawberry.field(description="Who decided it.")
    def decided_by(self, info: Info) -> str | None:
        """Another than who asked, unless it was withdrawn."""
        return None if self.row.decided_by is None else who_was(info.context, self.row.decided_by)

    @classmethod
    def of(cls, row: model.Approval) -> Self:
        """From the database."""
        return cls(
            id=strawberry.ID(ids.encode("Approval", row.id)),
            act=row.act,
            args=cast("JSON", row.args),
            reason=row.why,
            status=model.ApprovalStatus(row.status),
            asked_at=row.asked_at,
            decided_at=row.decided_at,
            decision=row.decided_why,
            outcome=cast("JSON | None", row.outcome),
            row=row,
        )


async def _fetch(info: Info, global_id: str) -> Approval | None:
    found = await approvals.by_global_id(info.context, global_id)
    return None if found is None else Approval.of(found)


FETCHED["Approval"] = (APPROVALS, _fetch)


@strawberry.type(description="Who asked for it cannot decide it.")
class SameHands(UserError):
    """Somebody else has to; who asked may withdraw it."""


@strawberry.type(description="It was decided before.")
class ApprovalClosed(UserError):
    """See the approval."""

    status: str
    own = ("status",)


@strawberry.type(description="What was asked for is not possible, any more or for now; it stays waiting.")
class ActRefused(UserError):
    """The message has the words of what was refused."""

    act: str
    refusal: str = strawberry.field(description="The code of what was refused.")
    own = ("act", "refusal")


TYPES |= {kind.__name__: kind for kind in (SameHands, ApprovalClosed, ActRefused)}


@passed_as_sent
@strawberry.input
class DecideApprovalInput:
    """What waits, and why it is decided so."""

    idempotency_key: str = strawberry.field(description=KEY)
    approval: strawberry.ID
    reason: str | None = strawberry.UNSET


@strawberry.type(description="It was done.")
class Approved:
    """With what the act answered as `outcome`."""

    approval: Approval


@strawberry.type(description="It is not done.")
class ApprovalRefused:
    """For good; it may be asked for again."""

    approval: Approval


@strawberry.type(description="It is not done any more.")
class ApprovalWithdrawn:
    """By who asked for it."""

    approval: Approval


ApproveResult = Annotated[
    Approved | Shared | SameHands | ApprovalClosed | ActRefused, strawberry.union("ApproveResult")
]
RefuseApprovalResult = Annotated[
    ApprovalRefused | Shared | SameHands | ApprovalClosed, strawberry.union("RefuseApprovalResult")
]
WithdrawApprovalResult = Annotated[
    ApprovalWithdrawn | Shared | ApprovalClosed, strawberry.union("WithdrawApprovalResult")
]


@strawberry.type
class ApprovalQueries:
    """Of one's own side."""

    @strawberry.field(description="Acts that took or take a second person, newest first.")
    async def approvals(
        self,
        info: Info,
        status: model.ApprovalStatus | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Approval]:
        """Forwards."""
        asked = window(approvals.SHAPE, first, after, last, before)
        return Connection[Approval].of(await approvals.listed(info.context, asked, status), Approval.of)


@strawberry.type
class ApprovalMutations:
    """A second person's."""

    @strawberry.mutation(description="Have done what a colleague asked for.")
    async def approve(self, info: Info, input: DecideApprovalInput) -> ApproveResult | None:
        """At once, and against the books as they are now; what the act refuses now is refused."""
        found = await answer(info, input, approvals.approve)
        return cast("Any", found if isinstance(found, UserError) else Approved(approval=Approval.of(found)))

    @strawberry.mutation(description="Have not done what a colleague asked for.")
    async def refuse_approval(self, info: Info, input: DecideApprovalInput) -> RefuseApprovalResult | None:
        """With a reason, if there is one."""
        found = await answer(info, input, approvals.refuse)
        return cast("Any", found if isinstance(found, UserError) else ApprovalRefused(approval=Approval.of(found)))

    @strawberry.mutation(description="Take back what one asked for.")
    async def withdraw_approval(self, info: Info, input: DecideApprovalInput) -> WithdrawApprovalResult | None:
        """Before it is decided."""
        found = await answer(info, input, approvals.withdraw)
        return cast("Any", found if isinstance(found, UserError) else ApprovalWithdrawn(approval=Approval.of(found)))
