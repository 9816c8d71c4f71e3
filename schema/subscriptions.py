"""The roots of subscribing: what is told as it happens."""

from collections.abc import AsyncGenerator

import strawberry

from resolvers import cycles
from schema.node import Info
from schema.settlement import SettlementCycle


@strawberry.type
class Subscription:
    """Each tells how things stand at once, and again whenever they change."""

    @strawberry.subscription(description="A cycle at each step it takes, until it is settled or aborted.")
    async def settlement_progress(self, info: Info, cycle: strawberry.ID) -> AsyncGenerator[SettlementCycle, None]:
        """A merchant sees its own side of it."""
        async for row in cycles.progress(info.context, cycle):
            yield SettlementCycle.of(row)
