"""A merchant that leaves (A12): what is sent, seen and answered."""

from datetime import date, datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.departing.model import ExitStatus
from alliance.departing.model import MerchantExit as ExitRow
from alliance.departing.queries import status_of
from resolvers import departing
from schema.agreeing import NoticeTooShort
from schema.answering import Shared, answer
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, UserError

strawberry.enum(
    ExitStatus,
    name="ExitStatus",
    description="ANNOUNCED until its agreements end, RUNNING_OFF while its points are spent at partners, SETTLING "
    "until nothing is open and claims are over, GONE; WITHDRAWN if it stays.",
)


@strawberry.type(description="That a merchant leaves the alliance, and the dates that follow.")
class MerchantExit:
    """Everybody sees the dates."""

    status: ExitStatus
    announced_at: datetime
    ends_at: datetime = strawberry.field(description="When its agreements end.")
    runs_off_to: datetime = strawberry.field(description="Until when points are spent at partners.")
    last_cycle: int = strawberry.field(description="Number of the cycle into which the last of them fall.")
    claims_until: datetime = strawberry.field(description="Then its deposit is given back.")
    withdrawn_at: datetime | None
    reason: str | None = strawberry.field(description="Null for other merchants.")
    obstacles: list[str] | None = strawberry.field(
        description="What is open: RUN_OFF, CYCLES, DISPUTES, PROMISES, DEFAULT, CLAIMS. Null for other merchants."
    )

    @classmethod
    def of(cls, row: ExitRow, open_: list[str], as_of: datetime, own: bool) -> Self:
        """From a row and what is open."""
        return cls(
            status=status_of(row, open_, as_of),
            announced_at=row.announced_at,
            ends_at=row.ends_at,
            runs_off_to=row.runs_off_to,
            last_cycle=row.last_cycle,
            claims_until=row.claims_until,
            withdrawn_at=row.withdrawn_at,
            reason=row.why if own else None,
            obstacles=open_ if own else None,
        )


async def exit_of(info: Info, merchant: Merchant) -> MerchantExit | None:
    """The last notice that a merchant gave."""
    found = await departing.latest(info.context, merchant.row)
    if found is None:
        return None
    return MerchantExit.of(*found, info.context.as_of, departing.sees_obstacles(info.context, merchant.row))


@strawberry.type(description="The merchant has given notice before.")
class AlreadyLeaving(UserError):
    """See its `exit`."""

    merchant: str
    own = ("merchant",)


@strawberry.type(description="There is no notice to withdraw, or its agreements are over.")
class NotLeaving(UserError):
    """Agreements are proposed anew."""

    merchant: str
    own = ("merchant",)


TYPES |= {kind.__name__: kind for kind in (AlreadyLeaving, NotLeaving)}


@passed_as_sent
@strawberry.input
class AnnounceExitInput:
    """Who leaves, from which day on, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    on: date | None = strawberry.field(
        default=strawberry.UNSET,
        description="The first day without it; by default the earliest that notice leaves.",
    )
    reason: str


@passed_as_sent
@strawberry.input
class WithdrawExitInput:
    """Who stays after all, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    reason: str


@strawberry.type(description="Notice is given: all its agreements end on that day.")
class ExitAnnounced:
    """Its points run off after that."""

    merchant: Merchant
    exit: MerchantExit


@strawberry.type(description="The merchant stays; agreements that were ended are proposed anew.")
class ExitWithdrawn:
    """Everybody hears of it."""

    merchant: Merchant
    exit: MerchantExit


AnnounceExitResult = Annotated[
    ExitAnnounced | Shared | AlreadyLeaving | NoticeTooShort, strawberry.union("AnnounceExitResult")
]
WithdrawExitResult = Annotated[ExitWithdrawn | Shared | NotLeaving, strawberry.union("WithdrawExitResult")]


@strawberry.type
class DepartingMutations:
    """A merchant's own, or the operator's."""

    @strawberry.mutation(description="Have a merchant leave the alliance, with notice: exit is no default.")
    async def announce_exit(self, info: Info, input: AnnounceExitInput) -> AnnounceExitResult | None:
        """All its agreements end on one day."""
        return cast("Any", await _told(info, ExitAnnounced, await answer(info, input, departing.announce)))

    @strawberry.mutation(description="Have a merchant stay that gave notice, before its agreements end.")
    async def withdraw_exit(self, info: Info, input: WithdrawExitInput) -> WithdrawExitResult | None:
        """The notice, not the end of its agreements."""
        return cast("Any", await _told(info, ExitWithdrawn, await answer(info, input, departing.withdraw)))


async def _told(info: Info, kind: type[ExitAnnounced] | type[ExitWithdrawn], found: Any) -> Any:
    if isinstance(found, UserError):
        return found
    merchant = Merchant.of(found)
    return kind(merchant=merchant, exit=cast("MerchantExit", await exit_of(info, merchant)))
