"""Running a pool: invitations, roles and limits. Each command takes the pool's lock, as those of `commands` do."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events.kinds import EventKind
from domain.pools.commands import (
    MOST_MEMBERS,
    change,
    join,
    locked,
    locked_to_admit,
    require_active,
    require_owner,
    tell,
)
from domain.pools.errors import NOBODY, NotInPool, NotInvited, PoolFull
from domain.pools.model import EACH, LimitPeriod, PoolInvitation, PoolLimit, PoolMoves, PoolRole

MOST_LIMITS = 200


async def invite(
    session: AsyncSession,
    *,
    pool_id: uuid.UUID,
    member_id: uuid.UUID,
    role: PoolRole,
    by_id: uuid.UUID | None,
    as_of: datetime,
) -> None:
    """Ask a member into a pool, who is in it once they accept. Again, with another role: as asked last.

    Raises NotFound, PoolNotActive, NotInPool, AlreadyInPool, PoolFull, MemberNotActive; InvalidInput for another owner.
    """
    roles = await locked_to_admit(session, pool_id, member_id, role, by_id)
    open_ = (PoolInvitation.holder_id == pool_id) & PoolInvitation.answered_at.is_(None)
    invited = set(await session.scalars(select(PoolInvitation.member_id).where(open_)))
    if len(roles) + len(invited - {member_id}) >= MOST_MEMBERS:
        raise PoolFull(most=MOST_MEMBERS)
    await require_active(session, member_id, as_of, "member")
    await session.execute(delete(PoolInvitation).where(open_, PoolInvitation.member_id == member_id))
    row = {"holder_id": pool_id, "id": new_id(), "member_id": member_id, "role": role.value, "invited_at": as_of}
    await session.execute(insert(PoolInvitation).values(row))
    await tell(session, member_id, EventKind.POOL_INVITED, pool_id, role=role.value)


async def answer(
    session: AsyncSession, *, pool_id: uuid.UUID, member_id: uuid.UUID, accepts: bool, as_of: datetime
) -> None:
    """Accept an invitation, and be in the pool; or decline it. Raises NotFound, PoolNotActive, NotInvited,
    PoolFull, MemberNotActive."""
    roles = await locked(session, pool_id)
    mine = (PoolInvitation.holder_id == pool_id) & (PoolInvitation.member_id == member_id)
    answered = update(PoolInvitation).where(mine, PoolInvitation.answered_at.is_(None))
    role = await session.scalar(answered.values(answered_at=as_of, accepted=accepts).returning(PoolInvitation.role))
    if role is None:
        raise NotInvited(path=("pool",))
    if not accepts:
        await tell(session, member_id, EventKind.POOL_DECLINED, pool_id)
        return
    if len(roles) >= MOST_MEMBERS:
        raise PoolFull(most=MOST_MEMBERS)
    await require_active(session, member_id, as_of, "member")
    await join(session, pool_id, member_id, PoolRole(role), as_of)


async def set_role(
    session: AsyncSession,
    *,
    pool_id: uuid.UUID,
    member_id: uuid.UUID,
    role: PoolRole,
    by_id: uuid.UUID | None,
    as_of: datetime,
) -> None:
    """Give another role to who is in a pool. A new OWNER takes the place of the old one, who is a SPENDER then.

    Raises NotFound, PoolNotActive, NotInPool, MemberNotActive, NotAllowed for the owner, who can only hand over.
    """
    roles = await locked(session, pool_id)
    require_owner(roles, by_id)
    if (now := roles.get(member_id)) is None:
        raise NotInPool(role=NOBODY, path=("member",))
    if now == role:
        return
    if now == PoolRole.OWNER:
        raise NotAllowed(reason="a pool has an owner: make somebody else the owner", path=("role",))
    if role == PoolRole.OWNER:
        await require_active(session, member_id, as_of, "member")
        for owner_id in (id_ for id_, had in roles.items() if had == PoolRole.OWNER):
            await change(session, pool_id, owner_id, PoolRole.SPENDER, as_of)
    await change(session, pool_id, member_id, role, as_of)


async def set_limit(
    session: AsyncSession,
    *,
    pool_id: uuid.UUID,
    moves: PoolMoves,
    per: LimitPeriod,
    who: uuid.UUID,
    points: int | None,
    by_id: uuid.UUID | None,
) -> None:
    """Let at most so many points be spent, or put in, per operation or period; None: as many as there are.

    `who` is a member, EACH, or (the pool's id) all together. Raises NotFound, PoolNotActive, NotInPool, InvalidInput.
    """
    roles = await locked(session, pool_id)
    require_owner(roles, by_id)
    if who not in (EACH, pool_id) and who not in roles:
        raise NotInPool(role=NOBODY, path=("member",))
    if points is not None and points < 0:
        raise InvalidInput(reason="must not be less than zero", path=("points",))
    place = {"holder_id": pool_id, "moves": moves.value, "per": per.value, "member_id": who}
    await session.execute(delete(PoolLimit).filter_by(**place))
    if points is None:
        return
    known = (await session.scalars(select(PoolLimit.points).where(PoolLimit.holder_id == pool_id))).all()
    if len(known) >= MOST_LIMITS:
        raise InvalidInput(reason=f"a pool has at most {MOST_LIMITS} limits", path=("points",))
    await session.execute(insert(PoolLimit).values(**place, points=points))


async def limits(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[PoolLimit]]:
    """The limits of these pools."""
    wanted = select(PoolLimit).where(PoolLimit.holder_id.in_(list(ids)))
    found: dict[uuid.UUID, list[PoolLimit]] = {id_: [] for id_ in ids}
    for row in await session.scalars(wanted.order_by(PoolLimit.moves, PoolLimit.per, PoolLimit.member_id)):
        found[row.holder_id].append(row)
    return found


async def invitations(
    session: AsyncSession, *, pool_ids: Sequence[uuid.UUID] = (), member_ids: Sequence[uuid.UUID] = ()
) -> list[PoolInvitation]:
    """The open invitations to these pools, or of these members."""
    wanted = select(PoolInvitation).where(PoolInvitation.answered_at.is_(None))
    meant = PoolInvitation.holder_id.in_(list(pool_ids)) | PoolInvitation.member_id.in_(list(member_ids))
    return list(await session.scalars(wanted.where(meant).order_by(PoolInvitation.id)))


async def require_pool(session: AsyncSession, pool_id: uuid.UUID, by_id: uuid.UUID | None) -> dict[uuid.UUID, str]:
    """Who is in a pool that is to be dissolved, at the wish of its owner. Raises NotFound, PoolNotActive, NotInPool."""
    roles = await locked(session, pool_id)
    require_owner(roles, by_id)
    if not roles:
        raise NotFound(what="pool", path=("pool",))
    return roles
