"""Movements of a wallet, as on a bank's statement."""

from datetime import datetime
from typing import Self

import strawberry

from domain.ledger.statements import StatementRow
from resolvers import operations
from schema.node import Info
from schema.operations import Operation
from schema.scalars import Points


@strawberry.type(description="A movement of a wallet. Nothing is summed for it: what it stood at is stored.")
class StatementEntry:
    """In the order of booking."""

    change: Points = strawberry.field(description="What was gained; below zero, lost.")
    balance_after: Points = strawberry.field(
        description="What the wallet then stood at, lots past their date included until their expiry is booked."
    )
    occurred_at: datetime = strawberry.field(description="When it happened, as the client says.")
    booked_at: datetime
    row: strawberry.Private[StatementRow]

    @strawberry.field(description="What happened, in words, in the caller's language (Accept-Language: en, zh-CN).")
    def title(self, info: Info) -> str:
        """One line."""
        return operations.title(info.context, self.row)

    @strawberry.field(description="What moved the points.")
    async def operation(self, info: Info) -> Operation | None:
        """Loaded together with those of other movements."""
        return Operation.maybe(await operations.load(info.context, self.row.holder_id, self.row.operation_id))

    @classmethod
    def of(cls, row: StatementRow) -> Self:
        """From the ledger."""
        return cls(
            change=Points(row.change),
            balance_after=Points(row.balance_after),
            occurred_at=row.occurred_at,
            booked_at=row.booked_at,
            row=row,
        )
