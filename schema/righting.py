"""Mutations of rights, their answers and refusals (A15)."""

from datetime import datetime
from typing import Annotated, Any, Self, cast
from uuid import UUID

import strawberry

from domain.ledger.request import Posted
from resolvers import rights
from schema.answering import Shared, answer
from schema.answers import operation_of
from schema.enums import Channel
from schema.freezing import MerchantFrozen
from schema.inputs import DRY_RUN, KEY, OCCURRED_AT, MemberRef, passed_as_sent
from schema.node import Info
from schema.operations import Operation
from schema.preview import OBLIGATIONS, OwedLine, obligations_of
from schema.refusals import (
    TYPES,
    AlreadyReversed,
    HolderStopped,
    MemberNotActive,
    NotReversible,
    OperationArchived,
    TooLate,
    UserError,
)
from schema.rights import Right, RightBooking
from schema.showing import Named


@strawberry.type(description="No right has this code, or it is out of reach.")
class RightNotFound(UserError):
    """A code that was mistyped looks the same."""


@strawberry.type(description="The right is not used at this merchant.")
class RightNotUsable(UserError):
    """By the terms of its grant, or for want of an agreement."""

    merchant: str
    own = ("merchant",)


@strawberry.type(description="The right has not begun.")
class RightNotYetValid(UserError):
    """See when."""

    valid_from: str
    own = ("valid_from",)


@strawberry.type(description="The right is past its date.")
class RightExpired(UserError):
    """See since when."""

    expired: str
    own = ("expired",)


@strawberry.type(description="Fewer uses are left than were asked for.")
class RightAlreadyUsed(UserError):
    """Those that are booked are not left."""

    left: int
    requested: int
    own = ("left", "requested")


@strawberry.type(description="Its grantor has taken the right back.")
class RightWithdrawn(UserError):
    """Nothing is left of it."""


@strawberry.type(description="What is left of the right is set aside, elsewhere or for later.")
class RightBooked(UserError):
    """Until its booking ends."""

    booked: int
    own = ("booked",)


@strawberry.type(description="The stock or the budget of these rights is used up.")
class RightSoldOut(UserError):
    """So many more could be granted."""

    left: int
    requested: int
    own = ("left", "requested")


@strawberry.type(description="The member has had as many of these as a member may.")
class RightLimitExceeded(UserError):
    """Those that went unused do not count."""

    cap: int
    used: int
    own = ("cap", "used")


@strawberry.type(description="The booking has ended.")
class BookingEnded(UserError):
    """See how."""

    status: str
    own = ("status",)


TYPES |= {
    kind.__name__: kind
    for kind in (
        RightNotFound,
        RightNotUsable,
        RightNotYetValid,
        RightExpired,
        RightAlreadyUsed,
        RightWithdrawn,
        RightBooked,
        RightSoldOut,
        RightLimitExceeded,
        BookingEnded,
    )
}


@passed_as_sent
@strawberry.input(one_of=True, description="A right, named in exactly one way.")
class RightRef:
    """By its id where it is in reach; by its code at the merchant it is shown at."""

    id: strawberry.ID | None = strawberry.UNSET
    code: str | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class GrantRightInput:
    """One of a merchant's benefits, for a member."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant that grants it.")
    member: MemberRef
    kind: str = strawberry.field(description="The code of the benefit, as the alliance file has it.")
    quantity: int | None = strawberry.field(
        default=strawberry.UNSET, description="How often it may be used: default as the file says."
    )
    valid_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Default now; how long it lives is counted from then."
    )
    channel: Channel
    store: str | None = strawberry.UNSET
    order_ref: str | None = strawberry.UNSET
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class ReserveRightInput:
    """One use of a right, set aside at a merchant."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where it will be used.")
    right: RightRef
    until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the booking is over: default in 15 minutes, at most in 366 days."
    )
    cancel_until: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="Until when it costs nothing to cancel. Whoever neither comes nor cancels by then is a no-show, "
        "where the agreement has a price for that; left out, nobody has promised to come.",
    )
    channel: Channel
    order_ref: str | None = strawberry.UNSET
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class UseRightInput:
    """A right used at a merchant; what is booked there is used first."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where it is used.")
    right: RightRef
    quantity: int | None = strawberry.field(default=strawberry.UNSET, description="How many uses: default 1.")
    channel: Channel
    store: str | None = strawberry.UNSET
    order_ref: str | None = strawberry.UNSET
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class CancelRightInput:
    """A booking; or all that is left of a right and not booked. Give one of the two."""

    idempotency_key: str = strawberry.field(description=KEY)
    right: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Its grantor takes it back.")
    booking: strawberry.ID | None = strawberry.UNSET
    reason: str | None = strawberry.UNSET
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class RestoreRightInput:
    """What is undone."""

    idempotency_key: str = strawberry.field(description=KEY)
    operation: strawberry.ID = strawberry.field(description="Of kind RIGHT_USE, RIGHT_NO_SHOW or RIGHT_CANCEL.")
    reason: str
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


async def _right(info: Info, posted: Posted) -> Right | None:
    found = await rights.load(info.context, posted.holder_id, UUID(posted.data["right"]))
    return None if found is None else Right.of(found, info)


async def _booking(info: Info, posted: Posted) -> RightBooking | None:
    if "booking" not in posted.data:
        return None
    found = await rights.booking(info.context, (posted.holder_id, UUID(posted.data["booking"])))
    return None if found is None else RightBooking.of(found)


@strawberry.type(description="A member may use a benefit.")
class RightGranted:
    """Its code is on the right, for its member and its grantor."""

    posted: strawberry.Private[Posted]

    @strawberry.field(description="Null for a dry run.")
    async def right(self, info: Info) -> Right | None:
        """Read now."""
        return await _right(info, self.posted)

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)


@strawberry.type(description="A use of a right was set aside.")
class RightReserved:
    """Nothing is posted by it."""

    posted: strawberry.Private[Posted]

    @strawberry.field(description="The right as it stands now.")
    async def right(self, info: Info) -> Right | None:
        """Read now."""
        return await _right(info, self.posted)

    @strawberry.field(description="Its id is good for cancelRight; null for a dry run.")
    async def booking(self, info: Info) -> RightBooking | None:
        """Read now."""
        return await _booking(info, self.posted)


@strawberry.type(description="A right was used.")
class RightUsed:
    """Its grantor owes for it where it is not the grantor's own."""

    uses: int
    posted: strawberry.Private[Posted]

    @strawberry.field(description="The right as it stands now.")
    async def right(self, info: Info) -> Right | None:
        """Read now."""
        return await _right(info, self.posted)

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description=OBLIGATIONS)
    async def obligations(self, info: Info) -> list[OwedLine] | None:
        """Null for members."""
        return await obligations_of(info, self.posted)

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        return cls(uses=posted.points, posted=posted)


@strawberry.type(description="A booking was cancelled, or what was left of a right was taken back.")
class RightCancelled(RightUsed):
    """Nothing is owed, but for a no-show as agreed."""

    no_show: bool = strawberry.field(description="The booking was cancelled too late: a use is gone, and owed for.")

    @strawberry.field(description="The booking that ended, if it was one.")
    async def booking(self, info: Info) -> RightBooking | None:
        """Read now."""
        return await _booking(info, self.posted)

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        return cls(uses=posted.points, no_show=bool(posted.data.get("noShow")), posted=posted)


@strawberry.type(description="Uses of a right came back.")
class RightRestored(RightUsed):
    """What they made owed is taken back."""

    expired: int = strawberry.field(description="Those whose date has passed: they come back expired.")

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        return cls(uses=posted.points, expired=posted.data["expired"], posted=posted)


_Still = MemberNotActive | HolderStopped
_Left = RightAlreadyUsed | RightBooked | RightWithdrawn | RightExpired
_Here = RightNotFound | RightNotUsable | RightNotYetValid | _Left
GrantRightResult = Annotated[
    RightGranted | Named | _Still | RightSoldOut | RightLimitExceeded | MerchantFrozen,
    strawberry.union("GrantRightResult"),
]
ReserveRightResult = Annotated[RightReserved | Shared | _Still | _Here, strawberry.union("ReserveRightResult")]
UseRightResult = Annotated[RightUsed | Shared | _Still | _Here | TooLate, strawberry.union("UseRightResult")]
CancelRightResult = Annotated[
    RightCancelled | Shared | _Still | RightNotFound | _Left | BookingEnded, strawberry.union("CancelRightResult")
]
RestoreRightResult = Annotated[
    RightRestored
    | Shared
    | _Still
    | RightNotFound
    | NotReversible
    | AlreadyReversed
    | OperationArchived
    | RightSoldOut,
    strawberry.union("RestoreRightResult"),
]


@strawberry.type
class RightMutations:
    """What becomes of rights."""

    @strawberry.mutation(description="Let a member use one of a merchant's benefits.")
    async def grant_right(self, info: Info, input: GrantRightInput) -> GrantRightResult | None:
        """Within its stock and budget."""
        found = await answer(info, input, rights.grant)
        return cast("Any", found if isinstance(found, UserError) else RightGranted(posted=found))

    @strawberry.mutation(description="Set one use of a right aside at a merchant, for a while.")
    async def reserve_right(self, info: Info, input: ReserveRightInput) -> ReserveRightResult | None:
        """What its use will make owed is reserved in its grantor's position."""
        found = await answer(info, input, rights.reserve)
        return cast("Any", found if isinstance(found, UserError) else RightReserved(posted=found))

    @strawberry.mutation(description="Use a right: at a partner, its grantor owes the agreement's price for it.")
    async def use_right(self, info: Info, input: UseRightInput) -> UseRightResult | None:
        """Once."""
        found = await answer(info, input, rights.use)
        return cast("Any", found if isinstance(found, UserError) else RightUsed.of(found))

    @strawberry.mutation(description="Cancel a booking, or take back what is left of a right.")
    async def cancel_right(self, info: Info, input: CancelRightInput) -> CancelRightResult | None:
        """In time it costs nothing."""
        found = await answer(info, input, rights.cancel)
        return cast("Any", found if isinstance(found, UserError) else RightCancelled.of(found))

    @strawberry.mutation(description="Undo a use, a no-show, or the cancellation of a right.")
    async def restore_right(self, info: Info, input: RestoreRightInput) -> RestoreRightResult | None:
        """Once; what comes back keeps its date."""
        found = await answer(info, input, rights.restore)
        return cast("Any", found if isinstance(found, UserError) else RightRestored.of(found))
