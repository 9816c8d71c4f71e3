"""Making and closing pools, and who is in them. What moves their points are requests to the posting engine.

Each command takes the pool's lock first, as postings do: who is in a pool does not change while its points move.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import lock_key, new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.ledger.model import Account
from domain.ledger.standing import Standing
from domain.pools.errors import NOBODY, AlreadyInPool, NotInPool, PoolFull, PoolNotActive, PoolNotEmpty
from domain.pools.model import Pool, PoolKind, PoolMember, PoolName, PoolRole, PoolStatus

MOST_MEMBERS = 50
LONGEST_NAME = 100


async def create(
    session: AsyncSession,
    *,
    merchant_id: uuid.UUID,
    owner_id: uuid.UUID,
    name: str,
    as_of: datetime,
    kind: PoolKind = PoolKind.HOUSEHOLD,
) -> uuid.UUID:
    """A new pool of points that the merchant issues, its owner in it. Raises InvalidInput, MemberNotActive."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidInput(reason=f"a name has 1 to {LONGEST_NAME} characters", path=("name",))
    await require_active(session, owner_id, as_of, "owner")
    pool_id = new_id()
    row = {"id": pool_id, "merchant_id": merchant_id, "status": PoolStatus.ACTIVE.value, "created_at": as_of}
    row["kind"] = kind.value
    await session.execute(insert(Pool).values(row))
    await session.execute(insert(PoolName).values(holder_id=pool_id, name=name))
    await join(session, pool_id, owner_id, PoolRole.OWNER, as_of)
    return pool_id


async def add_member(
    session: AsyncSession,
    *,
    pool_id: uuid.UUID,
    member_id: uuid.UUID,
    role: PoolRole,
    by_id: uuid.UUID | None,
    as_of: datetime,
) -> None:
    """Let a member in, at `by_id`'s wish, who must be the owner; None is the merchant or the operator.

    Raises NotFound, PoolNotActive, NotInPool, AlreadyInPool, PoolFull, MemberNotActive; InvalidInput for another owner.
    """
    roles = await locked_to_admit(session, pool_id, member_id, role, by_id)
    if len(roles) >= MOST_MEMBERS:
        raise PoolFull(most=MOST_MEMBERS)
    await require_active(session, member_id, as_of, "member")
    await join(session, pool_id, member_id, role, as_of)


async def remove_member(
    session: AsyncSession, *, pool_id: uuid.UUID, member_id: uuid.UUID, by_id: uuid.UUID | None, as_of: datetime
) -> None:
    """Let a member go; what they put in stays. All may leave but the owner, who closes the pool instead.

    Raises NotFound, PoolNotActive, NotInPool, NotAllowed for the owner.
    """
    roles = await locked(session, pool_id)
    if by_id != member_id:
        require_owner(roles, by_id)
    if member_id not in roles:
        raise NotInPool(role=NOBODY, path=("member",))
    if roles[member_id] == PoolRole.OWNER:
        raise NotAllowed(reason="the owner does not leave: close the pool", path=("member",))
    await _leave(session, pool_id, member_id, as_of)
    await tell(session, member_id, EventKind.POOL_LEFT, pool_id)


async def close(session: AsyncSession, *, pool_id: uuid.UUID, by_id: uuid.UUID | None, as_of: datetime) -> None:
    """Close an empty pool; nobody is in it any more. Raises NotFound, PoolNotActive, NotInPool, PoolNotEmpty."""
    roles = await locked(session, pool_id)
    require_owner(roles, by_id)
    if points := await _points(session, pool_id):
        raise PoolNotEmpty(points=points)
    await _leave(session, pool_id, None, as_of)
    await _end(session, pool_id)


async def _points(session: AsyncSession, pool_id: uuid.UUID) -> int:
    left = select(func.coalesce(func.sum(Account.posted), 0)).where(Account.holder_id == pool_id)
    return int((await session.execute(left)).scalar_one())


async def _end(session: AsyncSession, pool_id: uuid.UUID) -> None:
    await session.execute(update(Pool).where(Pool.id == pool_id).values(status=PoolStatus.CLOSED.value))
    await tell(session, pool_id, EventKind.POOL_CLOSED, pool_id)


async def locked(session: AsyncSession, pool_id: uuid.UUID) -> dict[uuid.UUID, str]:
    """Take the pool's lock; who is in it, as what. Raises NotFound, PoolNotActive."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(pool_id)})
    status = await session.scalar(select(Pool.status).where(Pool.id == pool_id))
    if status is None:
        raise NotFound(what="pool", path=("pool",))
    if status != PoolStatus.ACTIVE:
        raise PoolNotActive(path=("pool",))
    now = select(PoolMember.member_id, PoolMember.role).where(
        PoolMember.holder_id == pool_id, PoolMember.left_at.is_(None)
    )
    return {row.member_id: row.role for row in await session.execute(now)}


async def locked_to_admit(
    session: AsyncSession, pool_id: uuid.UUID, member_id: uuid.UUID, role: PoolRole, by_id: uuid.UUID | None
) -> dict[uuid.UUID, str]:
    """As `locked`, to let somebody in at `by_id`'s wish. Raises NotInPool, AlreadyInPool, InvalidInput too."""
    roles = await locked(session, pool_id)
    require_owner(roles, by_id)
    if role == PoolRole.OWNER:
        raise InvalidInput(reason="a pool has one owner", path=("role",))
    if member_id in roles:
        raise AlreadyInPool(path=("member",))
    return roles


def require_owner(roles: dict[uuid.UUID, str], by_id: uuid.UUID | None) -> None:
    """Raises NotInPool unless it is the owner who asks, or (None) the merchant or the operator."""
    if by_id is not None and roles.get(by_id) != PoolRole.OWNER:
        raise NotInPool(role=roles.get(by_id, NOBODY), path=("pool",))


async def require_active(session: AsyncSession, member_id: uuid.UUID, as_of: datetime, path: str) -> None:
    """Raises NotFound, MemberNotActive."""
    stands = text("SELECT status, jurisdiction, frozen_until FROM member WHERE id = :id")
    row = (await session.execute(stands, {"id": member_id})).one_or_none()
    if row is None:
        raise NotFound(what="member", path=(path,))
    Standing(*row).require_active(as_of, (path,))


async def join(
    session: AsyncSession, pool_id: uuid.UUID, member_id: uuid.UUID, role: PoolRole, as_of: datetime
) -> None:
    """Let a member in, and tell of it."""
    row = {"holder_id": pool_id, "id": new_id(), "member_id": member_id, "role": role.value, "joined_at": as_of}
    await session.execute(insert(PoolMember).values(row))
    await tell(session, member_id, EventKind.POOL_JOINED, pool_id, role=role.value)


async def _leave(session: AsyncSession, pool_id: uuid.UUID, member_id: uuid.UUID | None, as_of: datetime) -> None:
    """End one membership, or all."""
    ended = update(PoolMember).where(PoolMember.holder_id == pool_id, PoolMember.left_at.is_(None))
    if member_id is not None:
        ended = ended.where(PoolMember.member_id == member_id)
    await session.execute(ended.values(left_at=as_of))


async def tell(session: AsyncSession, holder_id: uuid.UUID, kind: EventKind, pool_id: uuid.UUID, **more: str) -> None:
    """Add an event of the holder's, for the merchant whose points the pool is of."""
    merchant_id = (await session.scalars(select(Pool.merchant_id).where(Pool.id == pool_id))).one()
    await add_event(session, holder_id, kind, {"pool": str(pool_id), "merchant": str(merchant_id), **more}, merchant_id)


async def leave_all(session: AsyncSession, member_ids: Sequence[uuid.UUID], as_of: datetime) -> None:
    """Let members who have left go from all their pools. A pool without its owner is its longest standing spender's,
    or else whoever's has been in it longest; an empty one that nobody is left in is closed.
    """
    wanted = select(PoolMember.holder_id).where(
        PoolMember.member_id.in_(list(member_ids)), PoolMember.left_at.is_(None)
    )
    for pool_id in sorted(set(await session.scalars(wanted))):
        roles = await locked(session, pool_id)
        for member_id in sorted(roles.keys() & set(member_ids)):
            await _leave(session, pool_id, member_id, as_of)
            await tell(session, member_id, EventKind.POOL_LEFT, pool_id)
        if PoolRole.OWNER in {role for id_, role in roles.items() if id_ not in member_ids}:
            continue
        await _inherit(session, pool_id, as_of)


async def _inherit(session: AsyncSession, pool_id: uuid.UUID, as_of: datetime) -> None:
    """Give a pool to whoever comes next."""
    inside = select(PoolMember).where(PoolMember.holder_id == pool_id, PoolMember.left_at.is_(None))
    rows = (await session.scalars(inside, execution_options={"populate_existing": True})).all()
    if rows:
        heir = min(rows, key=lambda row: (row.role != PoolRole.SPENDER, row.joined_at, row.id))
        await change(session, pool_id, heir.member_id, PoolRole.OWNER, as_of)
    elif not await _points(session, pool_id):
        await _end(session, pool_id)


async def change(
    session: AsyncSession, pool_id: uuid.UUID, member_id: uuid.UUID, role: PoolRole, as_of: datetime
) -> None:
    """Another role for a member, from now on: a stay in the pool has one."""
    await _leave(session, pool_id, member_id, as_of)
    await join(session, pool_id, member_id, role, as_of)
