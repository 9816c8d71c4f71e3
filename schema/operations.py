"""What happened: operations, what they moved, what decided them."""

from collections import Counter
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import strawberry

from domain.ledger.model import OperationKind
from domain.ledger.queries import OperationRow
from resolvers import ids, operations, pools, proofs
from resolvers.context import Context
from schema.enums import Channel, OperationStatus
from schema.merchants import Merchant, PointsCurrency, Store
from schema.node import Info, Node
from schema.proofs import InclusionProof
from schema.scalars import Points

LazyMember = Annotated["Member", strawberry.lazy("schema.members")]  # type: ignore[name-defined]  # noqa: F821
LazyPoolMember = Annotated["PoolMember", strawberry.lazy("schema.pools")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.type(description="What an operation moved, from the member's side.")
class Transfer:
    """`points` are what the member gained (or lost, negative); the counterpart moves by the opposite."""

    points: Points
    balance_after: Points = strawberry.field(
        description="What the wallet then stood at, lots past their date included until their expiry is booked."
    )
    currency_code: strawberry.Private[str]

    @strawberry.field(description="The kind of points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.currency_code])


@strawberry.enum(description="A merchant's rule, or an agreement between two merchants.")
class DecisionKind(StrEnum):
    """What decided."""

    RULE = "RULE"
    AGREEMENT = "AGREEMENT"


@strawberry.type(description="What decided points: which version of it, and for how many points.")
class Decision:
    """Agreements are for their merchants, the operator and auditors alone."""

    kind: DecisionKind
    rule: str = strawberry.field(description="The rule's code; of an agreement its merchants, as in fuel+grocer.")
    version: int
    points: Points
    currency: str | None = strawberry.field(
        description="Of which kind, where a purchase earned several; null where all are of the kind asked for."
    )

    @classmethod
    def of(cls, decision: dict[str, Any]) -> Self:
        """From what the ledger keeps."""
        points = Points(decision["points"])
        rule, version, currency = decision["rule"], decision["version"], decision.get("currency")
        return cls(kind=DecisionKind.RULE, rule=rule, version=version, points=points, currency=currency)

    @classmethod
    async def of_operation(cls, context: Context, row: OperationRow) -> list[Self]:
        """All that decided an operation, as far as the viewer may see it."""
        rules = [cls.of(decision) for decision in row.decisions or []]
        agreements = await operations.agreements(context, row)
        return rules + [
            cls(kind=DecisionKind.AGREEMENT, rule=merchants, version=version, points=Points(points), currency=None)
            for merchants, version, points in agreements
        ]


@strawberry.type(description="One business event. Never edited: a correction is another operation that reverses it.")
class Operation(Node):
    """Its status is derived."""

    kind: OperationKind
    status: OperationStatus
    occurred_at: datetime = strawberry.field(description="When it happened, as the client says.")
    booked_at: datetime = strawberry.field(description="When it was booked; this decides order and cycle.")
    channel: Channel | None
    order_ref: str | None
    row: strawberry.Private[OperationRow]

    @strawberry.field(description="Whose points it moved.")
    async def member(self, info: Info) -> LazyMember | None:
        """Null if the member is out of reach."""
        from schema.members import Member

        found = await info.context.loaders.members.load(self.row.holder_id)
        return None if found is None else Member.of(found)

    @strawberry.field(description="Where it happened.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        found = info.context.runtime.catalogue.merchants_by_id.get(self.row.merchant_id)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="The store, where there was one.")
    def store(self, info: Info) -> Store | None:
        """From the catalogue."""
        merchant = info.context.runtime.catalogue.merchants_by_id.get(self.row.merchant_id)
        return None if merchant is None or self.row.store is None else Store.of(merchant, self.row.store)

    @strawberry.field(description="What happened, in words, in the caller's language (Accept-Language: en, zh-CN).")
    def title(self, info: Info) -> str:
        """One line."""
        return operations.title(info.context, self.row)

    @strawberry.field(description="What the member gained (or lost, negative) of a kind of points.")
    async def change(self, info: Info, currency: str) -> Points:
        """Zero for a currency that it did not touch."""
        moved = await operations.entries(info.context, self.row)
        return Points(sum(entry.amount for entry in moved if entry.currency == currency))

    @strawberry.field(description="What the wallet then stood at; null for a currency that it did not touch.")
    async def balance_after(self, info: Info, currency: str) -> Points | None:
        """As the ledger posted it."""
        moved = await operations.entries(info.context, self.row)
        after = [entry.balance_after for entry in moved if entry.currency == currency]
        return Points(after[-1]) if after else None

    @strawberry.field(description="All that it moved.")
    async def transfers(self, info: Info) -> list[Transfer]:
        """One a kind of points."""
        moved = await operations.entries(info.context, self.row)
        points, after = Counter[str](), {entry.currency: entry.balance_after for entry in moved}
        for entry in moved:
            points[entry.currency] += entry.amount
        return [
            Transfer(points=Points(points[code]), balance_after=Points(left), currency_code=code)
            for code, left in after.items()
        ]

    @strawberry.field(description="The operation that this one reverses.")
    async def reverses(self, info: Info) -> "Operation | None":
        """Null unless it is a reversal."""
        if self.row.reverses is None:
            return None
        return Operation.maybe(await operations.load(info.context, self.row.holder_id, self.row.reverses))

    @strawberry.field(description="The operations that reverse this one.")
    async def reversed_by(self, info: Info) -> list["Operation"]:
        """Oldest first."""
        holder_id = self.row.holder_id
        found = [await operations.load(info.context, holder_id, id_) for id_ in self.row.reversed_by]
        return [Operation.of(row) for row in found if row is not None]

    @strawberry.field(description="The redemptions that paid for this order, as its tenders named them.")
    async def paid_with(self, info: Info) -> list["Operation"]:
        """Oldest first."""
        holder_id = self.row.holder_id
        paid = await info.context.loaders.paid_with.load((holder_id, self.row.id))
        found = [await operations.load(info.context, holder_id, id_) for id_ in paid]
        return [Operation.of(row) for row in found if row is not None]

    @strawberry.field(description="Who spent it, of a pool's points; null for all other operations.")
    async def spent_by(self, info: Info) -> LazyPoolMember | None:
        """As what they were in the pool then."""
        from schema.pools import PoolMember

        found = await pools.spent_by(info.context, self.row)
        return None if found is None else PoolMember.of(found)

    @strawberry.field(description="What decided the points.")
    async def decided_by(self, info: Info) -> list[Decision]:
        """Rules, with versions and what each gave; agreements only for their merchants."""
        return await Decision.of_operation(info.context, self.row)

    @strawberry.field(description="That it is in the log; null until it is in a signed checkpoint, within a second.")
    async def proof(self, info: Info) -> InclusionProof | None:
        """In the tree of the newest checkpoint."""
        found = await proofs.of(info.context, self.row)
        return None if found is None else InclusionProof.of(found)

    @classmethod
    def named(cls, holder_id: UUID, operation_id: UUID) -> "Operation":
        """An operation of which nothing but the id is known, or asked for."""
        operation = cls.__new__(cls)
        operation.id = strawberry.ID(ids.encode("Operation", holder_id, operation_id))
        return operation

    @classmethod
    def maybe(cls, row: OperationRow | None) -> "Operation | None":
        """From the ledger; nothing from nothing."""
        return None if row is None else cls.of(row)

    @classmethod
    def of(cls, row: OperationRow) -> "Operation":
        """From the ledger."""
        return cls(
            id=strawberry.ID(ids.encode("Operation", row.holder_id, row.id)),
            kind=OperationKind(row.kind),
            status=_status(row),
            occurred_at=row.occurred_at,
            booked_at=row.booked_at,
            channel=None if row.channel is None else Channel(row.channel),
            order_ref=row.order_ref,
            row=row,
        )


def _status(row: OperationRow) -> OperationStatus:
    if row.whole:
        return OperationStatus.REVERSED
    if row.reversed_by:
        return OperationStatus.PARTLY_REVERSED
    return OperationStatus.PENDING if row.pending else OperationStatus.POSTED
