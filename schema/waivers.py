"""What a creditor gives up by hand (A16): what is sent, and what is answered."""

from typing import Annotated, Any, cast

import strawberry

from resolvers import waivers
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.money import Money
from schema.node import Info
from schema.refusals import UserError

WAITS = "What waits for a second person; null when it is done."


@passed_as_sent
@strawberry.input
class WaiveFeeInput:
    """A line of a fee or of interest that one is owed, or part of it."""

    idempotency_key: str = strawberry.field(description=KEY)
    line: strawberry.ID = strawberry.field(description="Obligation.line.")
    amount: MoneyInput | None = strawberry.field(default=strawberry.UNSET, description="Default: all that is left.")
    reason: str


@passed_as_sent
@strawberry.input
class WriteOffBalanceInput:
    """An amount that a partner owes in the open cycle."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Who gives it up; the alliance's code is the operator.")
    against: str = strawberry.field(description="Who owes it.")
    amount: MoneyInput
    reason: str


@strawberry.type(description="A fee, or interest, was given up, or that was asked for.")
class FeeWaived:
    """By a line of the open cycle that adjusts it."""

    amount: Money | None = strawberry.field(description="Null while it waits.")
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="An amount was given up, or that was asked for.")
class BalanceWrittenOff:
    """By a line of the open cycle."""

    amount: Money | None = strawberry.field(description="Null while it waits.")
    approval: Approval | None = strawberry.field(description=WAITS)


WaiveFeeResult = Annotated[FeeWaived | Shared, strawberry.union("WaiveFeeResult")]
WriteOffBalanceResult = Annotated[BalanceWrittenOff | Shared, strawberry.union("WriteOffBalanceResult")]


def _given_up(info: Info, found: Any, success: Any) -> Any:
    if isinstance(found, UserError):
        return found
    amount, waiting = cast("waivers.GivenUp", found)
    currency = info.context.runtime.catalogue.alliance.settlement_currency
    return success(
        amount=None if amount is None else Money.of_micro(amount, currency),
        approval=None if waiting is None else Approval.of(waiting),
    )


@strawberry.type
class WaiverMutations:
    """A creditor's; the operator's for any."""

    @strawberry.mutation(description="Give up a fee or interest that one is owed; with four eyes above a limit.")
    async def waive_fee(self, info: Info, input: WaiveFeeInput) -> WaiveFeeResult | None:
        """Act WAIVE_FEE of `byHand`."""
        return cast("Any", _given_up(info, await answer(info, input, waivers.waive), FeeWaived))

    @strawberry.mutation(description="Give up a small amount that a partner owes; with four eyes above a limit.")
    async def write_off_balance(self, info: Info, input: WriteOffBalanceInput) -> WriteOffBalanceResult | None:
        """Act WRITE_OFF_BALANCE of `byHand`."""
        return cast("Any", _given_up(info, await answer(info, input, waivers.write_off), BalanceWrittenOff))
