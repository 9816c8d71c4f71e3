"""Searching what merchants owe each other, line by line."""

from datetime import datetime
from typing import Any, cast

import strawberry

from alliance.clearing.model import ObligationKind
from resolvers import obligations
from resolvers.pages import window
from schema.inputs import passed_as_sent
from schema.node import Connection, Info
from schema.scalars import Decimal
from schema.settlement import Obligation


@passed_as_sent
@strawberry.input(description="Which lines. All that are given must fit.")
class ObligationFilter:
    """Without `orderRef` and `operation`, name a cycle or a span: else all cycles are looked through."""

    merchant: str | None = strawberry.field(
        default=strawberry.UNSET, description="A party to the line (a code); the alliance's code is the operator."
    )
    counterparty: str | None = strawberry.field(
        default=strawberry.UNSET, description="The other party. A merchant sees but lines it is a party to."
    )
    cycle: int | None = strawberry.field(default=strawberry.UNSET, description="The cycle's number.")
    operation: strawberry.ID | None = strawberry.UNSET
    order_ref: str | None = strawberry.field(
        default=strawberry.UNSET, description="A merchant finds its own orders alone."
    )
    store: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its code. A merchant finds its own stores alone."
    )
    kinds: list[ObligationKind] | None = strawberry.UNSET
    amount_from: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="At least so much; a line that reverses is below zero."
    )
    amount_to: Decimal | None = strawberry.field(default=strawberry.UNSET, description="At most so much.")
    booked_from: datetime | None = strawberry.UNSET
    booked_before: datetime | None = strawberry.UNSET
    occurred_from: datetime | None = strawberry.UNSET
    occurred_before: datetime | None = strawberry.UNSET
    late: bool | None = strawberry.UNSET
    reverses: bool | None = strawberry.UNSET


@strawberry.type
class ObligationQueries:
    """Of merchants their own lines; of the operator and auditors all."""

    @strawberry.field(description="Lines that fit, of all cycles, in the order of booking.")
    async def obligations(
        self,
        info: Info,
        filter: ObligationFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Obligation]:
        """One statement, two with the count."""
        asked = window(obligations.shape(info.context), first, after, last, before)
        page = await obligations.listed(info.context, cast("dict[str, Any]", filter or {}), asked)
        return Connection[Obligation].of(page, lambda line: Obligation.of(info, line))
