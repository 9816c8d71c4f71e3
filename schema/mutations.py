"""The roots of writing. Each answers with what it did, or why not; a fault in one leaves other answers alone."""

from typing import Annotated, Any, cast

import strawberry

from domain.errors import Refusal
from resolvers import (
    adjustments,
    exchanges,
    gifts,
    holds,
    notices,
    pending,
    points,
    pools,
    stored_value,
)
from schema.accepting import AcceptingMutations
from schema.accruals import AccrualMutations
from schema.agreeing import AgreementMutations, SubsidyExhausted
from schema.answering import Sent, answer
from schema.answering import Shared as _Shared
from schema.answers import (
    Earned,
    Exchanged,
    Quoted,
    Redeemed,
    Reversed,
)
from schema.approvals import ApprovalMutations
from schema.breaks import BreakMutations
from schema.byhand import (
    Adjusted,
    AdjustPointsInput,
    Reinstated,
    ReinstatePointsInput,
    TransferPointsInput,
    Transferred,
)
from schema.calendar import CalendarMutations
from schema.claims import ClaimMutations
from schema.contacts import ContactMutations
from schema.correcting import CorrectionMutations
from schema.defaults import DefaultMutations, PointsNotHonoured
from schema.departing import DepartingMutations
from schema.disputes import DisputeMutations
from schema.duplicates import DuplicateMutations
from schema.exchange import Quote
from schema.freezing import FreezingMutations, MerchantAtCap, MerchantFrozen
from schema.guarding import GuardMutations
from schema.guards import CoolingOff, Guarded, PointsLocked
from schema.holding import Captured, Held, Released
from schema.households import HouseholdMutations, PoolLimitExceeded
from schema.identifying import IdentifyingMutations
from schema.inputs import (
    CaptureHoldInput,
    EarnInput,
    ExchangePointsInput,
    HoldPointsInput,
    QuoteExchangeInput,
    RedeemInput,
    ReleaseHoldInput,
    ReverseInput,
)
from schema.invoices import InvoiceMutations
from schema.jobs import JobMutations
from schema.living import LivingMutations
from schema.merging import MergingMutations
from schema.node import Info
from schema.notices import NoticeRecorded, RecordNoticeInput
from schema.partner_files import PartnerFileMutations
from schema.pending import Activated, ConfirmEarnInput, RejectEarnInput, Rejected
from schema.pooling import (
    AddPoolMemberInput,
    ClosePoolInput,
    Contributed,
    CreatePoolInput,
    PoolClosed,
    PoolCreated,
    PoolMemberAdded,
    PoolMemberRemoved,
    PoolTransferInput,
    RemovePoolMemberInput,
    Withdrawn,
)
from schema.privacy import PrivacyMutations
from schema.profiles import ProfileMutations
from schema.receipts import ReceiptMutations
from schema.refusals import (
    AdjustmentLimitExceeded,
    AlreadyCaptured,
    AlreadyInPool,
    AlreadyReleased,
    AlreadyReversed,
    BalanceLimitExceeded,
    BelowMinimum,
    CapExceeded,
    DuplicateOrder,
    GiftLimitExceeded,
    GiftNotWhole,
    GiftsNotAllowed,
    GivenTooOften,
    HolderStopped,
    HoldExceeded,
    HoldLapsed,
    InsufficientPoints,
    LimitExceeded,
    MemberNotActive,
    NoAgreement,
    NotATender,
    NothingToReinstate,
    NotInPool,
    NotPending,
    NotReversible,
    NotSpendable,
    OperationArchived,
    PoolFull,
    PoolNotActive,
    PoolNotEmpty,
    QuoteExpired,
    QuoteUsed,
    ReturnExceedsOrder,
    StoredValueElsewhere,
    StoredValueLimitExceeded,
    StoredValueNotEarned,
    StoredValueNotExchanged,
    TenderDiffers,
    TenderUsed,
    TooLate,
    TooManyExchanges,
    TooNew,
    UserError,
    WholeCardsOnly,
    shown,
)
from schema.refusing_identifiers import IdentifierNotVerified, MemberNumbersExhausted
from schema.rerating import RerateMutations
from schema.righting import RightMutations
from schema.settling import SettlingMutations
from schema.sharing import SharingMutations
from schema.showing import Named, ShowingMutations
from schema.signing_in import SigningInMutations
from schema.stored_value import Refunded, RefundStoredValueInput, ToppedUp, TopUpInput
from schema.waivers import WaiverMutations
from schema.webhooks import WebhookMutations

_Still = MemberNotActive | HolderStopped

EarnResult = Annotated[
    Earned
    | Named
    | _Still
    | DuplicateOrder
    | BalanceLimitExceeded
    | LimitExceeded
    | MerchantFrozen
    | SubsidyExhausted
    | NoAgreement
    | StoredValueNotEarned
    | AlreadyReversed
    | NotATender
    | TenderUsed
    | TenderDiffers
    | TooLate
    | IdentifierNotVerified
    | MemberNumbersExhausted,
    strawberry.union("EarnResult"),
]
_NoRoom = MerchantAtCap | MerchantFrozen
_NoMoreIssued = _NoRoom | SubsidyExhausted
_Unspendable = NotSpendable | WholeCardsOnly | MerchantAtCap | PointsNotHonoured
_NotOfPool = PoolNotActive | NotInPool
_NotNow = _NotOfPool | PoolLimitExceeded
ConfirmEarnResult = Annotated[Activated | _Shared | NotPending | _NoRoom, strawberry.union("ConfirmEarnResult")]
RejectEarnResult = Annotated[
    Rejected | _Shared | MemberNotActive | NotPending | AlreadyReversed | NotReversible | OperationArchived,
    strawberry.union("RejectEarnResult"),
]
RedeemResult = Annotated[
    Redeemed
    | Named
    | _Still
    | InsufficientPoints
    | NoAgreement
    | _Unspendable
    | StoredValueElsewhere
    | _NotNow
    | DuplicateOrder
    | TooLate
    | Guarded,
    strawberry.union("RedeemResult"),
]
HoldPointsResult = Annotated[
    Held
    | Named
    | _Still
    | InsufficientPoints
    | NoAgreement
    | _Unspendable
    | StoredValueElsewhere
    | _NotNow
    | DuplicateOrder
    | Guarded,
    strawberry.union("HoldPointsResult"),
]
_HoldEnded = AlreadyCaptured | AlreadyReleased | HoldLapsed
CaptureHoldResult = Annotated[
    Captured | _Shared | _Still | _HoldEnded | HoldExceeded | WholeCardsOnly | DuplicateOrder,
    strawberry.union("CaptureHoldResult"),
]
ReleaseHoldResult = Annotated[Released | _Shared | _HoldEnded, strawberry.union("ReleaseHoldResult")]
ReverseResult = Annotated[
    Reversed
    | _Shared
    | _Still
    | AlreadyReversed
    | ReturnExceedsOrder
    | NotReversible
    | OperationArchived
    | InsufficientPoints
    | BalanceLimitExceeded
    | GiftNotWhole,
    strawberry.union("ReverseResult"),
]
_NotGiven = (
    _Still
    | InsufficientPoints
    | BalanceLimitExceeded
    | GiftsNotAllowed
    | GiftLimitExceeded
    | GivenTooOften
    | TooNew
    | Guarded
)
TransferPointsResult = Annotated[Transferred | Named | _NotGiven, strawberry.union("TransferPointsResult")]
CreatePoolResult = Annotated[PoolCreated | Named | MemberNotActive, strawberry.union("CreatePoolResult")]
AddPoolMemberResult = Annotated[
    PoolMemberAdded | Named | _NotOfPool | MemberNotActive | AlreadyInPool | PoolFull,
    strawberry.union("AddPoolMemberResult"),
]
RemovePoolMemberResult = Annotated[PoolMemberRemoved | Named | _NotOfPool, strawberry.union("RemovePoolMemberResult")]
ClosePoolResult = Annotated[PoolClosed | _Shared | _NotOfPool | PoolNotEmpty, strawberry.union("ClosePoolResult")]
ContributeToPoolResult = Annotated[
    Contributed | Named | _NotGiven | _NotNow, strawberry.union("ContributeToPoolResult")
]
WithdrawFromPoolResult = Annotated[Withdrawn | Named | _NotGiven | _NotNow, strawberry.union("WithdrawFromPoolResult")]
AdjustPointsResult = Annotated[
    Adjusted
    | Named
    | _Still
    | StoredValueLimitExceeded
    | InsufficientPoints
    | BalanceLimitExceeded
    | NoAgreement
    | AdjustmentLimitExceeded
    | _NoMoreIssued,
    strawberry.union("AdjustPointsResult"),
]
ReinstatePointsResult = Annotated[
    Reinstated | _Shared | _Still | BalanceLimitExceeded | NothingToReinstate | OperationArchived,
    strawberry.union("ReinstatePointsResult"),
]
TopUpResult = Annotated[
    ToppedUp | Named | _Still | BalanceLimitExceeded | StoredValueLimitExceeded | DuplicateOrder,
    strawberry.union("TopUpResult"),
]
RefundStoredValueResult = Annotated[
    Refunded | Named | _Still | InsufficientPoints | PointsLocked | CoolingOff,
    strawberry.union("RefundStoredValueResult"),
]
QuoteExchangeResult = Annotated[
    Quoted | Named | NoAgreement | BelowMinimum | StoredValueNotExchanged | _NoRoom | PointsLocked | CoolingOff,
    strawberry.union("QuoteExchangeResult"),
]
_Unquoted = QuoteExpired | QuoteUsed
_NoMore = CapExceeded | TooManyExchanges | TooNew | _NoMoreIssued
ExchangePointsResult = Annotated[
    Exchanged
    | _Shared
    | _Still
    | InsufficientPoints
    | BalanceLimitExceeded
    | NoAgreement
    | _Unquoted
    | _NoMore
    | Guarded,
    strawberry.union("ExchangePointsResult"),
]
RecordNoticeResult = Annotated[NoticeRecorded | _Shared, strawberry.union("RecordNoticeResult")]


def _earned(info: Info, result: Any) -> Any:
    if isinstance(result, Refusal):
        return shown(result, info.context.language)
    return result if isinstance(result, BaseException) else Earned.of(*result)


@strawberry.type
class Mutation(
    WaiverMutations,
    AccrualMutations,
    RerateMutations,
    BreakMutations,
    CorrectionMutations,
    InvoiceMutations,
    AgreementMutations,
    ApprovalMutations,
    CalendarMutations,
    ReceiptMutations,
    ClaimMutations,
    DefaultMutations,
    DepartingMutations,
    PartnerFileMutations,
    ContactMutations,
    HouseholdMutations,
    JobMutations,
    LivingMutations,
    PrivacyMutations,
    SharingMutations,
    AcceptingMutations,
    MergingMutations,
    SettlingMutations,
    DisputeMutations,
    DuplicateMutations,
    FreezingMutations,
    GuardMutations,
    IdentifyingMutations,
    RightMutations,
    ShowingMutations,
    SigningInMutations,
    WebhookMutations,
    ProfileMutations,
):
    """What can be done."""

    @strawberry.mutation(description="Grant points for a purchase.")
    async def earn(self, info: Info, input: EarnInput) -> EarnResult | None:
        """The rules of its time decide how many."""
        found = await answer(info, input, points.earn)
        return cast("Any", found) if isinstance(found, UserError) else Earned.of(*found)

    @strawberry.mutation(
        description="At most 500 earns. One result an item, in order; each succeeds or fails on its own."
    )
    async def earn_batch(self, info: Info, inputs: list[EarnInput]) -> list[EarnResult | None] | None:
        """A faulty item is null, with its error."""
        info.context.forget()
        results = await points.earn_batch(info.context, cast("list[Sent]", inputs))
        return [_earned(info, result) for result in results]

    @strawberry.mutation(description="Make all that is pending of an earn active.")
    async def confirm_earn(self, info: Info, input: ConfirmEarnInput) -> ConfirmEarnResult | None:
        """The event that the points waited for."""
        found = await answer(info, input, pending.confirm)
        return cast("Any", found) if isinstance(found, UserError) else Activated.of(*found)

    @strawberry.mutation(description="Undo an earn that is pending, wholly. Nothing is owed for it.")
    async def reject_earn(self, info: Info, input: RejectEarnInput) -> RejectEarnResult | None:
        """The event did not come."""
        found = await answer(info, input, pending.reject)
        return cast("Any", found) if isinstance(found, UserError) else Rejected.of(found)

    @strawberry.mutation(description="Spend points.")
    async def redeem(self, info: Info, input: RedeemInput) -> RedeemResult | None:
        """Those that expire first go first."""
        found = await answer(info, input, points.redeem)
        return cast("Any", found) if isinstance(found, UserError) else Redeemed.of(*found)

    @strawberry.mutation(description="Set points aside before tender. Every other debit counts them.")
    async def hold_points(self, info: Info, input: HoldPointsInput) -> HoldPointsResult | None:
        """Until captured, released, or its time is over."""
        found = await answer(info, input, holds.hold_points)
        return cast("Any", found) if isinstance(found, UserError) else Held.of(*found)

    @strawberry.mutation(description="Spend points that were set aside, all or a part; the rest is released.")
    async def capture_hold(self, info: Info, input: CaptureHoldInput) -> CaptureHoldResult | None:
        """At the price of the hold."""
        found = await answer(info, input, holds.capture)
        return cast("Any", found) if isinstance(found, UserError) else Captured.of(*found)

    @strawberry.mutation(description="Give back points that were set aside.")
    async def release_hold(self, info: Info, input: ReleaseHoldInput) -> ReleaseHoldResult | None:
        """All of them."""
        found = await answer(info, input, holds.release)
        return cast("Any", found) if isinstance(found, UserError) else Released.of(*found)

    @strawberry.mutation(description="Undo an operation, or a part of it.")
    async def reverse(self, info: Info, input: ReverseInput) -> ReverseResult | None:
        """By the versions it was decided under."""
        found = await answer(info, input, points.reverse)
        return cast("Any", found) if isinstance(found, UserError) else Reversed.of(found)

    @strawberry.mutation(description="Give points to another member, where their currency allows it.")
    async def transfer_points(self, info: Info, input: TransferPointsInput) -> TransferPointsResult | None:
        """They keep their dates (rule R6)."""
        found = await answer(info, input, gifts.transfer)
        return cast("Any", found) if isinstance(found, UserError) else Transferred.of(*found)

    @strawberry.mutation(description="Make a pool, into which members put points together.")
    async def create_pool(self, info: Info, input: CreatePoolInput) -> CreatePoolResult | None:
        """Its owner says who else is in it."""
        found = await answer(info, input, pools.create)
        return cast("Any", found) if isinstance(found, UserError) else PoolCreated.of(found)

    @strawberry.mutation(description="Let a member into a pool.")
    async def add_pool_member(self, info: Info, input: AddPoolMemberInput) -> AddPoolMemberResult | None:
        """As SPENDER or CONTRIBUTOR."""
        found = await answer(info, input, pools.add_member)
        return cast("Any", found) if isinstance(found, UserError) else PoolMemberAdded.of(found)

    @strawberry.mutation(description="Let a member go, or leave: what was put in stays.")
    async def remove_pool_member(self, info: Info, input: RemovePoolMemberInput) -> RemovePoolMemberResult | None:
        """All but the owner."""
        found = await answer(info, input, pools.remove_member)
        return cast("Any", found) if isinstance(found, UserError) else PoolMemberRemoved.of(found)

    @strawberry.mutation(description="Close an empty pool.")
    async def close_pool(self, info: Info, input: ClosePoolInput) -> ClosePoolResult | None:
        """For good."""
        found = await answer(info, input, pools.close)
        return cast("Any", found) if isinstance(found, UserError) else PoolClosed.of(found)

    @strawberry.mutation(description="Put a member's points into a pool they are in.")
    async def contribute_to_pool(self, info: Info, input: PoolTransferInput) -> ContributeToPoolResult | None:
        """They keep their dates (rule R6)."""
        found = await answer(info, input, pools.contribute)
        return cast("Any", found) if isinstance(found, UserError) else Contributed.of(*found)

    @strawberry.mutation(description="Take points out of a pool, to the wallet of its owner or a spender.")
    async def withdraw_from_pool(self, info: Info, input: PoolTransferInput) -> WithdrawFromPoolResult | None:
        """They keep their dates (rule R6)."""
        found = await answer(info, input, pools.withdraw)
        return cast("Any", found) if isinstance(found, UserError) else Withdrawn.of(*found)

    @strawberry.mutation(description="Give or take points by hand.")
    async def adjust_points(self, info: Info, input: AdjustPointsInput) -> AdjustPointsResult | None:
        """With a reason, and within limits (rule A16)."""
        found = await answer(info, input, adjustments.adjust)
        if isinstance(found, UserError):
            return cast("Any", found)
        return Adjusted.of(*found) if isinstance(found, tuple) else Adjusted.waiting(found)

    @strawberry.mutation(description="Bring expired points back, for a while.")
    async def reinstate_points(self, info: Info, input: ReinstatePointsInput) -> ReinstatePointsResult | None:
        """As new lots that name the old ones (rule R5)."""
        found = await answer(info, input, adjustments.reinstate)
        return cast("Any", found) if isinstance(found, UserError) else Reinstated.of(found)

    @strawberry.mutation(description="Take in money for stored value, with a bonus on top or without.")
    async def top_up(self, info: Info, input: TopUpInput) -> TopUpResult | None:
        """It earns nothing (rule L5)."""
        found = await answer(info, input, stored_value.top_up)
        return cast("Any", found) if isinstance(found, UserError) else ToppedUp.of(*found)

    @strawberry.mutation(description="Pay back what was paid for stored value and not spent, or a part of it.")
    async def refund_stored_value(self, info: Info, input: RefundStoredValueInput) -> RefundStoredValueResult | None:
        """Never a bonus (rule L4)."""
        found = await answer(info, input, stored_value.refund)
        return cast("Any", found) if isinstance(found, UserError) else Refunded.of(*found)

    @strawberry.mutation(description="Keep what became of a notice that was to be sent to a member.")
    async def record_notice(self, info: Info, input: RecordNoticeInput) -> RecordNoticeResult | None:
        """With the proof of its delivery (rule L2)."""
        found = await answer(info, input, notices.record)
        return cast("Any", found) if isinstance(found, UserError) else NoticeRecorded.of(found)

    @strawberry.mutation(description="Ask at what rate points would be exchanged. The offer holds for a while.")
    async def quote_exchange(self, info: Info, input: QuoteExchangeInput) -> QuoteExchangeResult | None:
        """Reserves nothing."""
        found = await answer(info, input, exchanges.quote)
        return cast("Any", found) if isinstance(found, UserError) else Quoted(quote=Quote.of(found))

    @strawberry.mutation(description="Exchange points at a quote.")
    async def exchange_points(self, info: Info, input: ExchangePointsInput) -> ExchangePointsResult | None:
        """Points out, points in and what merchants come to owe: all or nothing."""
        found = await answer(info, input, exchanges.exchange)
        return cast("Any", found) if isinstance(found, UserError) else Exchanged.of(found)
