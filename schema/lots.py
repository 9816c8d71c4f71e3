"""A member's points one by one: lots, and where their points came from."""

from datetime import datetime
from typing import Self

import strawberry

from domain.ledger.lots import SourceRow
from domain.ledger.model import OperationKind
from domain.ledger.queries import LotRow, OperationRow
from resolvers import ids, lots, operations
from schema.merchants import Merchant
from schema.node import Info, Node
from schema.operations import Decision, Operation
from schema.scalars import Points


@strawberry.type(description="A lot that another one's points came from.")
class LotSource:
    """Of a gift or of reinstated points one; of an exchange all that it took from."""

    points: Points = strawberry.field(description="How many of it, in its own currency.")
    row: strawberry.Private[SourceRow]

    @strawberry.field(description="Null if it is out of reach, as another member's is for a member.")
    async def lot(self, info: Info) -> "Lot | None":
        """As it is now, spent or not."""
        found = await lots.one(info.context, self.row.holder_id, self.row.lot_id)
        return None if found is None else Lot.of(found)


@strawberry.type(description="What made a lot.")
class LotOrigin:
    """An operation, by its rules, and for points that were others before, those."""

    kind: OperationKind
    operation: Operation
    lot: strawberry.Private[LotRow]

    @strawberry.field(description="The rules and agreements that gave the points, with versions.")
    async def decided_by(self, info: Info) -> list[Decision]:
        """As of the operation."""
        return await Decision.of_operation(info.context, self.operation.row)

    @strawberry.field(description="The lots that its points were in before: of gifts, exchanges and reinstated points.")
    async def sources(self, info: Info) -> list[LotSource]:
        """None for points that were earned."""
        found = await lots.sources(info.context, self.lot)
        return [LotSource(points=Points(source.points), row=source) for source in found]

    @classmethod
    def of(cls, made_by: OperationRow, row: LotRow) -> Self:
        """From the ledger."""
        return cls(kind=OperationKind(made_by.kind), operation=Operation.of(made_by), lot=row)


@strawberry.type(description="A credit of points.")
class Lot(Node):
    """Lots are spent in the order of their expiry (rule R1)."""

    granted: Points
    remaining: Points
    granted_at: datetime
    expires_at: datetime | None = strawberry.field(description="The first moment at which it is gone; null is never.")
    row: strawberry.Private[LotRow]

    @strawberry.field(description="Who issued it.")
    def issuer(self, info: Info) -> Merchant:
        """A merchant of the alliance."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.issuer_id])

    @strawberry.field(description="Stored value that was paid for: it never ends, and is paid back on demand.")
    async def paid(self, info: Info) -> bool:
        """False for points, and for a bonus on stored value."""
        return await lots.is_paid(info.context, self.row)

    @strawberry.field(description="What made it; null if that is out of reach, or archived.")
    async def origin(self, info: Info) -> LotOrigin | None:
        """The operation, loaded together with those of other lots."""
        found = await operations.load(info.context, self.row.holder_id, self.row.operation_id)
        return None if found is None else LotOrigin.of(found, self.row)

    @classmethod
    def of(cls, row: LotRow) -> Self:
        """From the ledger."""
        return cls(
            id=strawberry.ID(ids.encode("Lot", row.holder_id, row.id)),
            granted=Points(row.granted),
            remaining=Points(row.remaining),
            granted_at=row.granted_at,
            expires_at=row.expires_at,
            row=row,
        )
