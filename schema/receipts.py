"""What banks report as received, what it is matched with, and payments that are released or held back (A16)."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from alliance.banking import receipts as model
from alliance.banking import rules
from resolvers import ids, receipts
from resolvers.context import Context
from resolvers.cycles import who_was
from resolvers.pages import window
from resolvers.receipts import Outcome, Seen
from schema.answering import Sent, Shared, answer
from schema.approvals import Approval
from schema.banking_policies import RECEIPTS
from schema.inputs import KEY, MoneyInput, passed_as_sent
from schema.merchants import Merchant
from schema.money import Money
from schema.node import FETCHED, Connection, Info, Node
from schema.payment_files import AccountMissing
from schema.refusals import TYPES, UserError, WrongCycleStatus
from schema.settlement import SettlementCycle

strawberry.enum(
    model.ReceiptStatus,
    description="OPEN: nothing is applied of it; PROPOSED: nor, but to what it belongs seems clear; PARTLY, APPLIED: "
    "some, all of it is; REFUNDED: what was left was given back; SPLIT: its parts stand in its place.",
)
strawberry.enum(model.StepKind, name="ReceiptStepKind", description="What was done about a receipt.")
strawberry.enum(
    rules.How,
    name="MatchedBy",
    description="Why a receipt was thought to belong to a payment: it names it; it is from the payer's account; it is "
    "of its amount; it nearly names it; somebody said so.",
)


@strawberry.type(description="A receipt and a payment that cannot be the same money; the message says why.")
class NotMatching(UserError):
    """Also: what is asked for has no meaning now."""

    reason: str
    own = ("reason",)


@strawberry.type(description="Nobody is paid before all pay-ins of the cycle are in or covered (A12).")
class PayInsMissing(UserError):
    """How much is missing, with its currency."""

    number: int
    missing: str
    own = ("number", "missing")


@strawberry.type(description="What is to be paid has changed since it was asked for.")
class PaymentsChanged(UserError):
    """Ask again."""


@strawberry.type(description="An account of money holds less than is to be taken from it.")
class NotEnoughMoney(UserError):
    """Amounts of the settlement currency."""

    account: str
    available: str
    requested: str
    own = ("account", "available", "requested")


TYPES |= {kind.__name__: kind for kind in (NotMatching, PayInsMissing, PaymentsChanged, NotEnoughMoney)}


def _currency(info: Info) -> str:
    return info.context.runtime.catalogue.alliance.settlement_currency


def _merchant(info: Info, party: UUID | None) -> Merchant | None:
    row = None if party is None else info.context.runtime.catalogue.merchants_by_id.get(party)
    return None if row is None else Merchant.of(row)


@strawberry.type(description="A part of a receipt for a payment.")
class ReceiptPart:
    """Of a cycle, by its number, the payment with this number."""

    cycle: int
    payment: int
    amount: Money


@strawberry.type(description="To what a receipt belongs, probably; matchReceipt without payments says yes.")
class ReceiptProposal:
    """`score`: of 100; from 95 on nobody is asked."""

    payments: list[ReceiptPart]
    by: rules.How
    score: int


@strawberry.type(description="That something was done about a receipt.")
class ReceiptStep:
    """Kept for good."""

    kind: model.StepKind
    amount: Money
    matched_by: rules.How
    by: str = strawberry.field(description="A client by its id, or `command line`.")
    why: str
    approved_by: str | None
    as_of: datetime


@strawberry.type(description="A movement of an account that a bank reported: above zero it came in.")
class Receipt(Node):
    """Seen by whose account it is, and the operator."""

    merchant: Merchant | None = strawberry.field(description="Whose account; null: the operator's, or all pay into it.")
    payer: Merchant | None = strawberry.field(description="Whose account it came from, where that is one of ours.")
    number: str = strawberry.field(description="The bank's own, unique in its statement.")
    amount: Money
    left: Money = strawberry.field(description="What is neither applied nor given back, without its sign.")
    value_date: date
    reference: str
    text: str
    name: str
    account: str
    reversal: bool = strawberry.field(description="Whether it takes back what came before.")
    status: model.ReceiptStatus
    proposal: ReceiptProposal | None
    payments: list[ReceiptPart] = strawberry.field(description="To which it is applied.")
    steps: list[ReceiptStep]

    @classmethod
    def of(cls, info: Info, seen: Seen) -> Self:
        """From a row and what belongs to it."""
        row, currency = seen.told.receipt, _currency(info)

        def part(cycle: UUID, number: int, amount: int) -> ReceiptPart:
            return ReceiptPart(cycle=seen.cycles[cycle], payment=number, amount=Money.of_minor(amount, currency))

        said = row.proposal
        return cls(
            id=strawberry.ID(ids.encode("Receipt", row.id)),
            merchant=_merchant(info, row.owner_id),
            payer=_merchant(info, row.payer_id),
            number=row.number,
            amount=Money.of_minor(row.amount, currency),
            left=Money.of_minor(seen.told.left, currency),
            value_date=row.value_date,
            reference=row.reference,
            text=seen.told.text,
            name=seen.told.name,
            account=seen.told.account,
            reversal=row.reversal,
            status=model.ReceiptStatus(row.status),
            proposal=None
            if said is None
            else ReceiptProposal(
                payments=[part(UUID(one["cycle"]), one["number"], one["amount"]) for one in said["parts"]],
                by=rules.How(said["how"]),
                score=said["score"],
            ),
            payments=[part(match.cycle_id, match.seq, match.amount) for match in seen.told.matches],
            steps=[
                ReceiptStep(
                    kind=model.StepKind(step.kind),
                    amount=Money.of_minor(step.amount, currency),
                    matched_by=rules.How(step.how),
                    by=who_was(info.context, step.who),
                    why=step.why,
                    approved_by=None if step.approved_by is None else who_was(info.context, step.approved_by),
                    as_of=step.as_of,
                )
                for step in seen.told.steps
            ],
        )


async def _fetch(info: Info, global_id: str) -> Receipt | None:
    found = await receipts.by_global_id(info.context, global_id)
    return None if found is None else Receipt.of(info, found)


FETCHED["Receipt"] = (RECEIPTS, _fetch)


@strawberry.type(description="Cash in the account that all pay into which belongs to no payment yet.")
class UnappliedCash:
    """`merchant` is null for cash of which nobody knows whose it is."""

    merchant: Merchant | None
    amount: Money


@passed_as_sent
@strawberry.input
class ReceiptFilter:
    """All conditions hold at once."""

    merchant: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose account, by code; the alliance's: the one that all pay into."
    )
    status: model.ReceiptStatus | None = strawberry.UNSET
    unapplied: bool | None = strawberry.field(default=strawberry.UNSET, description="Only what came and is left over.")


@passed_as_sent
@strawberry.input
class ReceiptPaymentInput:
    """A payment of a cycle, both by number, and how much; default: as much as there is."""

    cycle: int
    payment: int
    amount: MoneyInput | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class MatchReceiptInput:
    """A receipt, and what it pays; default: what is proposed."""

    idempotency_key: str = strawberry.field(description=KEY)
    receipt: strawberry.ID
    payments: list[ReceiptPaymentInput] | None = strawberry.UNSET
    reason: str


@passed_as_sent
@strawberry.input
class ApplyCashInput:
    """A receipt of which something is left, and what that pays."""

    idempotency_key: str = strawberry.field(description=KEY)
    receipt: strawberry.ID
    payments: list[ReceiptPaymentInput]
    reason: str


@passed_as_sent
@strawberry.input
class UnmatchReceiptInput:
    """A receipt that was applied wrongly, or that bounced."""

    idempotency_key: str = strawberry.field(description=KEY)
    receipt: strawberry.ID
    reason: str


@passed_as_sent
@strawberry.input
class SplitReceiptInput:
    """A receipt of which nothing is applied, and its parts, together all of it."""

    idempotency_key: str = strawberry.field(description=KEY)
    receipt: strawberry.ID
    amounts: list[MoneyInput]
    reason: str


@passed_as_sent
@strawberry.input
class RefundCashInput:
    """A receipt of which something is left; default: all of that."""

    idempotency_key: str = strawberry.field(description=KEY)
    receipt: strawberry.ID
    amount: MoneyInput | None = strawberry.UNSET
    reason: str


@passed_as_sent
@strawberry.input
class ReleasePaymentsInput:
    """A cycle that is being settled."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    reason: str


@passed_as_sent
@strawberry.input
class HoldPaymentInput:
    """A payment that is not released yet."""

    idempotency_key: str = strawberry.field(description=KEY)
    cycle: strawberry.ID
    payment: int
    reason: str


WAITS = "What waits for a second person; null when it is done."


@strawberry.type(description="A receipt was applied to payments, or that was asked for.")
class ReceiptMatched:
    """With the last payment its cycle is settled."""

    receipt: Receipt
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="What was left of a receipt was applied, or that was asked for.")
class CashApplied:
    """As matchReceipt does."""

    receipt: Receipt
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="A receipt is applied to nothing any more, or that was asked for.")
class ReceiptUnmatched:
    """Its payments are awaited again; a settled cycle is being settled."""

    receipt: Receipt
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="Parts stand in a receipt's place, or that was asked for.")
class ReceiptSplit:
    """They are listed as receipts of their own."""

    receipt: Receipt
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="What was left of a receipt was given back, or that was asked for.")
class CashRefunded:
    """Out of the account that all pay into, it leaves the bank."""

    receipt: Receipt
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="Files of payments were released, or that was asked for.")
class PaymentsReleased:
    """Exactly those that waited when it was asked for."""

    cycle: SettlementCycle
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="A payment is held back, or that was asked for.")
class PaymentHeld:
    """It is in no file."""

    cycle: SettlementCycle
    approval: Approval | None = strawberry.field(description=WAITS)


@strawberry.type(description="A payment is not held back any more, or that was asked for.")
class HeldPaymentReleased:
    """It is in the next file."""

    cycle: SettlementCycle
    approval: Approval | None = strawberry.field(description=WAITS)


MatchReceiptResult = Annotated[
    ReceiptMatched | Shared | NotMatching | WrongCycleStatus, strawberry.union("MatchReceiptResult")
]
ApplyCashResult = Annotated[CashApplied | Shared | NotMatching | WrongCycleStatus, strawberry.union("ApplyCashResult")]
UnmatchReceiptResult = Annotated[ReceiptUnmatched | Shared | NotMatching, strawberry.union("UnmatchReceiptResult")]
SplitReceiptResult = Annotated[ReceiptSplit | Shared | NotMatching, strawberry.union("SplitReceiptResult")]
RefundCashResult = Annotated[CashRefunded | Shared | NotMatching, strawberry.union("RefundCashResult")]
ReleasePaymentsResult = Annotated[
    PaymentsReleased | Shared | NotMatching | WrongCycleStatus | PayInsMissing | PaymentsChanged | AccountMissing,
    strawberry.union("ReleasePaymentsResult"),
]
HoldPaymentResult = Annotated[PaymentHeld | Shared | NotMatching, strawberry.union("HoldPaymentResult")]
ReleaseHeldPaymentResult = Annotated[
    HeldPaymentReleased | Shared | NotMatching, strawberry.union("ReleaseHeldPaymentResult")
]


@strawberry.type
class ReceiptQueries:
    """A merchant's own."""

    @strawberry.field(description="What banks reported, newest first.")
    async def receipts(
        self,
        info: Info,
        filter: ReceiptFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Receipt]:
        """Of a merchant's own account; of all, for the operator."""
        asked = window(receipts.SHAPE, first, after, last, before)
        wanted = receipts.wanted(info.context, cast("Sent", filter or {}))
        found = await receipts.listed(info.context, asked, wanted)
        return Connection[Receipt].of(found, lambda seen: Receipt.of(info, seen))

    @strawberry.field(description="Cash in the account that all pay into which belongs to no payment yet.")
    async def unapplied_cash(self, info: Info) -> list[UnappliedCash]:
        """A merchant's own; of all, for the operator."""
        return [
            UnappliedCash(merchant=_merchant(info, party), amount=Money.of_minor(amount, _currency(info)))
            for party, amount in await receipts.unapplied(info.context)
        ]


Act = Callable[[Context, Sent], Awaitable[Outcome]]


async def _of_receipt(info: Info, input: object, act: Act, success: Any) -> Any:
    found = await answer(info, input, act)
    if isinstance(found, UserError):
        return found
    assert found.receipt is not None
    return success(receipt=Receipt.of(info, found.receipt), approval=_waiting(found))


async def _of_cycle(info: Info, input: object, act: Act, success: Any) -> Any:
    found = await answer(info, input, act)
    if isinstance(found, UserError):
        return found
    assert found.cycle is not None
    return success(cycle=SettlementCycle.of(found.cycle), approval=_waiting(found))


def _waiting(found: Outcome) -> Approval | None:
    return None if found.approval is None else Approval.of(found.approval)


@strawberry.type
class ReceiptMutations:
    """Each with a reason, and above a limit with a second person."""

    @strawberry.mutation(description="Apply a receipt to payments.")
    async def match_receipt(self, info: Info, input: MatchReceiptInput) -> MatchReceiptResult | None:
        """One to many, and in part: the rest of a payment is a payment of its own."""
        return cast("Any", await _of_receipt(info, input, receipts.match, ReceiptMatched))

    @strawberry.mutation(description="Apply what is left of a receipt to payments.")
    async def apply_cash(self, info: Info, input: ApplyCashInput) -> ApplyCashResult | None:
        """Whenever that is."""
        return cast("Any", await _of_receipt(info, input, receipts.apply, CashApplied))

    @strawberry.mutation(description="Let a receipt not have been applied.")
    async def unmatch_receipt(self, info: Info, input: UnmatchReceiptInput) -> UnmatchReceiptResult | None:
        """All is as it was before."""
        return cast("Any", await _of_receipt(info, input, receipts.unmatch, ReceiptUnmatched))

    @strawberry.mutation(description="Let parts stand in a receipt's place.")
    async def split_receipt(self, info: Info, input: SplitReceiptInput) -> SplitReceiptResult | None:
        """Each is then matched or given back by itself."""
        return cast("Any", await _of_receipt(info, input, receipts.split, ReceiptSplit))

    @strawberry.mutation(description="Keep that what is left of a receipt was given back.")
    async def refund_cash(self, info: Info, input: RefundCashInput) -> RefundCashResult | None:
        """The bank is told by whoever gives it back."""
        return cast("Any", await _of_receipt(info, input, receipts.refund, CashRefunded))

    @strawberry.mutation(description="Release the files of a cycle that wait, to be sent to banks.")
    async def release_payments(self, info: Info, input: ReleasePaymentsInput) -> ReleasePaymentsResult | None:
        """A merchant those by which it pays."""
        return cast("Any", await _of_cycle(info, input, receipts.release, PaymentsReleased))

    @strawberry.mutation(description="Hold a payment back from being released.")
    async def hold_payment(self, info: Info, input: HoldPaymentInput) -> HoldPaymentResult | None:
        """A merchant one that it makes."""
        return cast("Any", await _of_cycle(info, input, receipts.hold, PaymentHeld))

    @strawberry.mutation(description="Let a payment that is held back be released again.")
    async def release_held_payment(self, info: Info, input: HoldPaymentInput) -> ReleaseHeldPaymentResult | None:
        """The opposite of holdPayment."""
        return cast("Any", await _of_cycle(info, input, receipts.lift, HeldPaymentReleased))
