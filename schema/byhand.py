"""Points that people move: members to each other, staff by hand. What is sent for it, and what is answered."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.approvals import model
from domain.ledger.request import Posted
from schema.answers import operation_of, wallet_now
from schema.approvals import Approval
from schema.inputs import DRY_RUN, KEY, OCCURRED_AT, MemberRef, passed_as_sent
from schema.node import Info
from schema.operations import Operation
from schema.scalars import Points
from schema.wallets import Wallet


@passed_as_sent
@strawberry.input
class TransferPointsInput:
    """Points from one member to another, where their currency allows gifts."""

    idempotency_key: str = strawberry.field(description=KEY)
    from_: MemberRef = strawberry.field(name="from", description="Who gives.")
    to: MemberRef = strawberry.field(description="Who is given to.")
    currency: str = strawberry.field(description="The code of the points.")
    points: Points
    note: str | None = strawberry.UNSET
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class AdjustPointsInput:
    """Points given or taken by hand, within the merchant's limits."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant whose staff does it, and who pays for it.")
    member: MemberRef | None = strawberry.field(default=strawberry.UNSET, description="Whose; or a pool's.")
    pool: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Instead: a pool of this merchant's, in whose points it is done."
    )
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose points: default the merchant's own; another's under an agreement."
    )
    points: Points = strawberry.field(description="How many to give; below zero, to take.")
    reason: str
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    ask_approval: bool | None = strawberry.field(
        default=False, description="What is more than one person may move at once waits for a second one."
    )
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class ReinstatePointsInput:
    """Expired points that come back."""

    idempotency_key: str = strawberry.field(description=KEY)
    operation: strawberry.ID = strawberry.field(description="The operation of kind EXPIRE.")
    points: Points | None = strawberry.field(default=strawberry.UNSET, description="Default: all that are left of it.")
    reason: str
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@strawberry.type(description="Points were given to another member.")
class Transferred:
    """They keep their dates."""

    points: Points
    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="From the giver's side; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The giver's wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted, currency=currency)


@strawberry.type(description="Points were given or taken by hand.")
class Adjusted:
    """With a reason."""

    points: Points = strawberry.field(description="What the member gained; below zero, lost; 0 while it waits.")
    approval: Approval | None = strawberry.field(description="What waits for a second person; null when it is done.")
    posted: strawberry.Private[Posted | None]
    currency: strawberry.Private[str]

    @strawberry.field(description="Null for a dry run, and while it waits.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return None if self.posted is None else operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach, and while it waits.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return None if self.posted is None else await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.data["change"]), approval=None, posted=posted, currency=currency)

    @classmethod
    def waiting(cls, row: model.Approval) -> Self:
        """What is not done yet."""
        return cls(points=Points(0), approval=Approval.of(row), posted=None, currency="")


@strawberry.type(description="Expired points came back.")
class Reinstated:
    """As new lots, for a while."""

    points: Points
    expires_at: datetime | None = strawberry.field(
        description="The first moment at which they are gone again; null is never, where a law wants it."
    )
    posted: strawberry.Private[Posted]

    @strawberry.field(description="Null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.posted.data["currency"])

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        until: str | None = posted.data["expires_at"]
        expires_at = None if until is None else datetime.fromisoformat(until)
        return cls(points=Points(posted.points), expires_at=expires_at, posted=posted)
