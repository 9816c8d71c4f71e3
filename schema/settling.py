"""The steps of a settlement cycle: what is sent, what is answered, and the mutations."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from resolvers import cycles
from resolvers.context import Context
from schema.answering import Sent, Shared, answer
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.node import Info
from schema.refusals import TYPES, EarlierCycleOpen, LaterCycleStated, UserError, WrongCycleStatus
from schema.settlement import SettlementCycle


@strawberry.type(description="Merchants may still object, and have not all confirmed.")
class ObjectionsOpen(UserError):
    """The operator says why it confirms for them."""

    until: str
    own = ("until",)


TYPES[ObjectionsOpen.__name__] = ObjectionsOpen


@passed_as_sent
@strawberry.input
class CloseCycleInput:
    """The cycle, or the open one."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Default: the open one.")
    as_of: datetime | None = strawberry.field(default=strawberry.UNSET, description="Names deadlines; default now.")
    reason: str | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class ConfirmStatementInput:
    """A merchant's own statement; for the operator any, or all that are left."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    merchant: str | None = strawberry.UNSET
    reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Needed of the operator while merchants may object, and recorded then."
    )


@passed_as_sent
@strawberry.input
class CycleStepInput:
    """A cycle, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    reason: str | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class RecordReceiptInput:
    """A payment of a cycle that came, or all that are left."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    payment: int | None = strawberry.field(
        default=strawberry.UNSET, description="Its number; default: all that are left, to a merchant its own."
    )
    amount: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET, description="What came; refused if it is not what was planned."
    )
    reference: str | None = strawberry.field(default=strawberry.UNSET, description="Say of a bank.")
    reason: str | None = strawberry.UNSET


@strawberry.type(description="The cycle was closed, and the next one opened at the same moment.")
class Closed:
    """Nothing enters it any more."""

    cycle: SettlementCycle


@strawberry.type(description="The cycle was stated to its parties.")
class Issued:
    """Its nets stand unless a line is objected to."""

    cycle: SettlementCycle


@strawberry.type(description="A statement was confirmed; with the last one, the cycle.")
class Confirmed:
    """Confirming it again changes nothing."""

    cycle: SettlementCycle


@strawberry.type(description="The cycle was netted, and its payments planned.")
class Netted:
    """At most n-1 payments."""

    cycle: SettlementCycle


@strawberry.type(description="The cycle's payments are to be made; with nothing to pay it is settled.")
class Settled:
    """It cannot be aborted any more."""

    cycle: SettlementCycle


@strawberry.type(description="A payment was received; with the last one the cycle is settled.")
class ReceiptRecorded:
    """Recording it again changes nothing."""

    cycle: SettlementCycle


@strawberry.type(description="The cycle was given up; its claims open the next one.")
class Aborted:
    """Before it was being settled."""

    cycle: SettlementCycle


CloseCycleResult = Annotated[Closed | Shared | WrongCycleStatus, strawberry.union("CloseCycleResult")]
IssueStatementsResult = Annotated[
    Issued | Shared | WrongCycleStatus | EarlierCycleOpen, strawberry.union("IssueStatementsResult")
]
ConfirmStatementResult = Annotated[
    Confirmed | Shared | WrongCycleStatus | ObjectionsOpen, strawberry.union("ConfirmStatementResult")
]
NetCycleResult = Annotated[Netted | Shared | WrongCycleStatus, strawberry.union("NetCycleResult")]
SettleCycleResult = Annotated[Settled | Shared | WrongCycleStatus, strawberry.union("SettleCycleResult")]
RecordReceiptResult = Annotated[ReceiptRecorded | Shared | WrongCycleStatus, strawberry.union("RecordReceiptResult")]
AbortCycleResult = Annotated[
    Aborted | Shared | WrongCycleStatus | EarlierCycleOpen | LaterCycleStated,
    strawberry.union("AbortCycleResult"),
]


async def _step(info: Info, input: object, act: Callable[[Context, Sent], Awaitable[Any]], success: Any) -> Any:
    found = await answer(info, input, act)
    return found if isinstance(found, UserError) else success(cycle=SettlementCycle.of(found))


@strawberry.type
class SettlingMutations:
    """Each is an authority of its own."""

    @strawberry.mutation(description="Close a cycle, and open the next.")
    async def close_cycle(self, info: Info, input: CloseCycleInput) -> CloseCycleResult | None:
        """The operator's."""
        return cast("Any", await _step(info, input, cycles.close, Closed))

    @strawberry.mutation(description="State a closed cycle to its parties.")
    async def issue_statements(self, info: Info, input: CycleStepInput) -> IssueStatementsResult | None:
        """The operator's."""
        return cast("Any", await _step(info, input, cycles.issue, Issued))

    @strawberry.mutation(description="Confirm a merchant's statement; the operator may confirm all that are left.")
    async def confirm_statement(self, info: Info, input: ConfirmStatementInput) -> ConfirmStatementResult | None:
        """A merchant its own."""
        return cast("Any", await _step(info, input, cycles.confirm, Confirmed))

    @strawberry.mutation(description="Net a confirmed cycle, and plan its payments.")
    async def net_cycle(self, info: Info, input: CycleStepInput) -> NetCycleResult | None:
        """The operator's."""
        return cast("Any", await _step(info, input, cycles.net, Netted))

    @strawberry.mutation(description="Have a netted cycle's payments made: it is SETTLING until all were received.")
    async def settle_cycle(self, info: Info, input: CycleStepInput) -> SettleCycleResult | None:
        """The operator's."""
        return cast("Any", await _step(info, input, cycles.settle, Settled))

    @strawberry.mutation(description="Record a payment of a cycle as received, or all that are left.")
    async def record_receipt(self, info: Info, input: RecordReceiptInput) -> RecordReceiptResult | None:
        """A merchant those made to it."""
        return cast("Any", await _step(info, input, cycles.receive, ReceiptRecorded))

    @strawberry.mutation(description="Give up a cycle that is not being settled yet; its claims open the next.")
    async def abort_cycle(self, info: Info, input: CycleStepInput) -> AbortCycleResult | None:
        """The operator's."""
        return cast("Any", await _step(info, input, cycles.abort, Aborted))
