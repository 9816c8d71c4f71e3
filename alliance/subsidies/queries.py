"""What is drawn on the subsidies of versions of agreements."""

import uuid
from collections.abc import Collection

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.subsidies.model import SubsidyUse

VersionKey = tuple[uuid.UUID, int]


async def used(session: AsyncSession, versions: Collection[VersionKey]) -> dict[VersionKey, dict[str, int]]:
    """What is drawn, in millionths, by version and currency; one that nothing was drawn on is left out."""
    place = tuple_(SubsidyUse.agreement_id, SubsidyUse.agreement_version)
    found: dict[VersionKey, dict[str, int]] = {}
    for row in await session.scalars(select(SubsidyUse).where(place.in_(list(versions)))):
        found.setdefault((row.agreement_id, row.agreement_version), {})[row.currency] = int(row.used)
    return found
