"""When merchants were frozen and restored: a merchant sees its own (A14, A16)."""

from collections.abc import Sequence

from alliance.exposure import queries
from alliance.exposure.model import FreezeStep
from domain.programs.catalogue import Merchant
from resolvers.context import Context


async def steps(context: Context, merchant: Merchant) -> Sequence[FreezeStep]:
    """When a merchant was frozen and restored, newest first; of another merchant nothing."""
    if context.own_merchant_id not in (None, merchant.id):
        return []
    async with context.runtime.database.reader() as session:
        return await queries.freezes(session, merchant.id)
