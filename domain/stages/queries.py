"""Reading stages: many members in, many rows out."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.stages.model import MemberStage


async def stages(
    session: AsyncSession, ids: Sequence[uuid.UUID], merchant_id: uuid.UUID | None = None
) -> dict[uuid.UUID, list[MemberStage]]:
    """The stages of these members, that of the alliance first; only that at `merchant_id` if it is given."""
    wanted = select(MemberStage).where(MemberStage.holder_id.in_(list(ids)))
    if merchant_id is not None:
        wanted = wanted.where(MemberStage.merchant_id == merchant_id)
    found: dict[uuid.UUID, list[MemberStage]] = {id_: [] for id_ in ids}
    for row in await session.scalars(wanted.order_by(MemberStage.holder_id, MemberStage.merchant_id)):
        found[row.holder_id].append(row)
    return found
