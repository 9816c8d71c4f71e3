"""Points that wait for an event: what is sent and answered."""

from typing import Self

import strawberry

from domain.ledger.request import Posted
from schema.answers import operation_of, wallet_now
from schema.inputs import DRY_RUN, KEY, passed_as_sent
from schema.node import Info
from schema.operations import Operation
from schema.scalars import Points
from schema.wallets import Wallet


@passed_as_sent
@strawberry.input
class ConfirmEarnInput:
    """All that is pending of the earn, at once."""

    idempotency_key: str = strawberry.field(description=KEY)
    operation: strawberry.ID = strawberry.field(description="The earn.")
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class RejectEarnInput:
    """The earn as a whole: once some of it is active, it is reversed instead."""

    idempotency_key: str = strawberry.field(description=KEY)
    operation: strawberry.ID = strawberry.field(description="The earn.")
    reason: str
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@strawberry.type(description="Pending points became active. Their expiry starts now.")
class Activated:
    """From now on they can be spent."""

    points: Points
    posted: strawberry.Private[Posted]
    currency: strawberry.Private[str]

    @strawberry.field(description="The activation; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @strawberry.field(description="The wallet as it stands now; null for points out of reach.")
    async def wallet(self, info: Info) -> Wallet | None:
        """Read now."""
        return await wallet_now(info, self.posted.holder_id, self.currency)

    @classmethod
    def of(cls, posted: Posted, currency: str) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted, currency=currency)


@strawberry.type(description="A pending earn was rejected. Nothing is owed for it.")
class Rejected:
    """No point of it was ever active."""

    points: Points
    posted: strawberry.Private[Posted]

    @strawberry.field(description="The reversal of the earn; null for a dry run.")
    def operation(self, info: Info) -> Operation | None:
        """Read now."""
        return operation_of(info, self.posted)

    @classmethod
    def of(cls, posted: Posted) -> Self:
        """From what the engine answered."""
        return cls(points=Points(posted.points), posted=posted)
