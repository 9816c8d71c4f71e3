"""Lines that the operator books by hand: what is sent and answered (A16)."""

from typing import Annotated, Any, cast

import strawberry

from resolvers import correcting
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.node import Info
from schema.operations import Operation
from schema.refusals import UserError


@passed_as_sent
@strawberry.input
class AdjustLineInput:
    """A line, or debtor and creditor; how much; why."""

    idempotency_key: str = strawberry.field(description=KEY)
    line: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Obligation.line: its debtor is to owe so much more, or less below zero."
    )
    debtor: str | None = strawberry.field(
        default=strawberry.UNSET, description="Without a line: a merchant's code, or the alliance's for the operator."
    )
    creditor: str | None = strawberry.UNSET
    amount: MoneyInput
    reason: str


@strawberry.type(description="A line was booked in the open cycle, or waits for a second person.")
class LineAdjusted:
    """One of the two is set."""

    operation: Operation | None = strawberry.field(description="Of kind CORRECTION.")
    approval: Approval | None


AdjustLineResult = Annotated[LineAdjusted | Shared, strawberry.union("AdjustLineResult")]


@strawberry.type
class CorrectionMutations:
    """The operator's."""

    @strawberry.mutation(description="Adjust by hand what one party owes another; above a limit two people do.")
    async def adjust_line(self, info: Info, input: AdjustLineInput) -> AdjustLineResult | None:
        """In the open cycle."""
        found = await answer(info, input, correcting.adjust)
        if isinstance(found, UserError):
            return cast("Any", found)
        return LineAdjusted(
            operation=Operation.maybe(found.operation),
            approval=None if found.approval is None else Approval.of(found.approval),
        )
