"""Tiers that end (R7): what follows them is decided in the night, before the credits that count for it expire."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.tiers import evaluate_requests
from alliance.runtime import Runtime
from domain.errors import Refusal
from domain.ledger.errors import HolderStopped
from domain.tiers.queries import Place, ended

#: Holders a posting.
TIERS_AT_ONCE = 500


async def evaluate_tiers(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Decide what follows the tiers of a range that have ended; the first refusal, if there was one.

    Holders who are stopped are left out.
    """
    refusals: list[Refusal] = []
    after: Place | None = None
    while places := await ended(session, as_of, first, before, after, TIERS_AT_ONCE):
        outcomes = await runtime.engine.post_many(evaluate_requests(runtime, places, as_of))
        refusals += [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
        after = places[-1]
    return refusals[0] if refusals else None
