"""Reading pools: many keys in, many rows out."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.pools.model import Pool, PoolMember, PoolName, PoolRow


async def pools(
    session: AsyncSession,
    ids: Sequence[uuid.UUID],
    *,
    merchant_id: uuid.UUID | None = None,
    member_id: uuid.UUID | None = None,
) -> dict[uuid.UUID, PoolRow]:
    """The pools with these ids: only the merchant's, only those that the member is in now."""
    wanted = (
        select(Pool.id, Pool.merchant_id, Pool.status, Pool.created_at, PoolName.name, Pool.kind)
        .join(PoolName, PoolName.holder_id == Pool.id)
        .where(Pool.id.in_(list(ids)))
    )
    if merchant_id is not None:
        wanted = wanted.where(Pool.merchant_id == merchant_id)
    if member_id is not None:
        inside = select(PoolMember.holder_id).where(PoolMember.member_id == member_id, PoolMember.left_at.is_(None))
        wanted = wanted.where(Pool.id.in_(inside))
    return {row.id: PoolRow(*row) for row in await session.execute(wanted)}


async def members(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[PoolMember]]:
    """Who is in these pools, and who was, in the order of joining."""
    found: dict[uuid.UUID, list[PoolMember]] = {id_: [] for id_ in ids}
    wanted = select(PoolMember).where(PoolMember.holder_id.in_(list(ids))).order_by(PoolMember.id)
    for row in await session.scalars(wanted):
        found[row.holder_id].append(row)
    return found


async def of_members(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """The pools that members are in now."""
    found: dict[uuid.UUID, list[uuid.UUID]] = {id_: [] for id_ in ids}
    wanted = (
        select(PoolMember.member_id, PoolMember.holder_id)
        .where(PoolMember.member_id.in_(list(ids)), PoolMember.left_at.is_(None))
        .order_by(PoolMember.id)
    )
    for member_id, pool_id in await session.execute(wanted):
        found[member_id].append(pool_id)
    return found


async def numbers(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The numbers of members."""
    rows = await session.execute(text("SELECT id, number FROM member WHERE id = ANY(:ids)"), {"ids": list(ids)})
    return {row.id: row.number for row in rows}


_SPENDERS = text("""
    SELECT DISTINCT ON (s.holder_id, s.operation_id) s.holder_id, s.operation_id, m.id
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS asked (holder_id, operation_id)
    JOIN pool_spend s USING (holder_id, operation_id)
    JOIN operation o ON o.holder_id = s.holder_id AND o.id = s.operation_id
    JOIN pool_member m ON m.holder_id = s.holder_id AND m.member_id = s.member_id
    ORDER BY s.holder_id, s.operation_id, m.joined_at <= o.as_of DESC, m.joined_at DESC
""")

Pair = tuple[uuid.UUID, uuid.UUID]


async def spenders(session: AsyncSession, operations: Sequence[Pair]) -> dict[Pair, PoolMember]:
    """Who spent points of a pool by these operations, (pool, id), as what they were in it then; others are left out."""
    asked = {"holders": [pair[0] for pair in operations], "ids": [pair[1] for pair in operations]}
    stays = {(row[0], row[1]): (row[0], row[2]) for row in await session.execute(_SPENDERS, asked)}
    place = tuple_(PoolMember.holder_id, PoolMember.id)
    rows = await session.scalars(select(PoolMember).where(place.in_(set(stays.values()))))
    members = {(row.holder_id, row.id): row for row in rows}
    return {operation: members[stay] for operation, stay in stays.items()}
