"""A member's tier in a merchant's programme."""

from uuid import UUID

from domain.errors import InvalidInput
from domain.programs.tiering import TierProgramme
from domain.tiers.queries import TierStanding
from resolvers.context import Context

MOST = 100


async def standing(context: Context, holder_id: UUID, merchant_id: UUID) -> tuple[TierProgramme, TierStanding] | None:
    """Where the member stands; None where the merchant has no tiers."""
    merchant = context.runtime.catalogue.merchants_by_id[merchant_id]
    if merchant.tiers is None:
        return None
    return merchant.tiers, await context.loaders.tiers.load((holder_id, merchant.tiers))


def most(first: int) -> int:
    """How many are asked for. Raises InvalidInput."""
    if not 1 <= first <= MOST:
        raise InvalidInput(reason=f"first is from 1 to {MOST}", path=("first",))
    return first
