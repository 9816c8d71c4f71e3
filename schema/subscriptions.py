"""The roots of subscribing: what is told as it happens."""

from collections.abc import AsyncGenerator
from typing import cast

import strawberry

from resolvers import cycles, following, wallets
from schema.inputs import MemberRef
from schema.node import Info
from schema.partner_files import PartnerFileSubscriptions
from schema.progress import ProgressSubscriptions
from schema.settlement import SettlementCycle
from schema.wallets import Wallet


@strawberry.type
class Subscription(ProgressSubscriptions, PartnerFileSubscriptions):
    """Each tells how things stand at once, and again whenever they change."""

    @strawberry.subscription(description="A cycle at each step it takes, until it is settled or aborted.")
    async def settlement_progress(self, info: Info, cycle: strawberry.ID) -> AsyncGenerator[SettlementCycle, None]:
        """A merchant sees its own side of it."""
        async for row in cycles.progress(info.context, cycle):
            yield SettlementCycle.of(row)

    @strawberry.subscription(description="Each wallet of a member that is in reach, and again whenever it changes.")
    async def wallet_changed(self, info: Info, member: MemberRef) -> AsyncGenerator[Wallet, None]:
        """A member follows their own wallets, a merchant those of its own points."""
        async for figures in following.wallets_of(info.context, cast("dict[str, object]", member)):
            yield Wallet.of(figures, wallets.key_of(info.context, figures))
