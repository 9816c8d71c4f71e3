"""What members leave behind: many members in, many rows out."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.leaving.model import Left, Wallet
from domain.benefits.model import Right, RightBooking
from domain.ledger.model import Hold
from domain.pools.model import PoolMember

# Credits of tiers are nobody's to have: they end with their period.
_WALLETS = text("""
    SELECT l.holder_id, l.currency, sum(l.remaining)::bigint, sum(l.held)::bigint,
           coalesce(sum(l.remaining) FILTER (WHERE EXISTS (
               SELECT FROM top_up t WHERE t.holder_id = l.holder_id AND t.currency = l.currency
                                      AND t.paid_lot_id = l.id)), 0)::bigint
    FROM lot l JOIN currency c ON c.code = l.currency AND c.kind <> 'tier_credits'
    WHERE l.holder_id = ANY(:ids) AND NOT l.spent
    GROUP BY 1, 2 ORDER BY 1, 2
""")
_PENDING = text("""
    SELECT holder_id, operation_id, bool_or(done) AS partly FROM pending_grant
    WHERE (holder_id, operation_id) IN (SELECT holder_id, operation_id FROM pending_grant
                                        WHERE holder_id = ANY(:ids) AND NOT done)
    GROUP BY 1, 2 ORDER BY 1, 2
""")


async def wallets(session: AsyncSession, ids: Sequence[UUID]) -> list[Wallet]:
    """The wallets of these holders in which anything is left."""
    return [Wallet(*row) for row in await session.execute(_WALLETS, {"ids": list(ids)})]


async def holds(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[Hold]:
    """Their open holds."""
    wanted = select(Hold).where(Hold.holder_id.in_(list(ids)), Hold.status == "OPEN")
    return (await session.scalars(wanted.order_by(Hold.holder_id, Hold.id))).all()


async def pending(session: AsyncSession, ids: Sequence[UUID]) -> list[tuple[UUID, UUID, bool]]:
    """Their earns of which anything waits, as (holder, operation), and whether some of it has become active."""
    return [
        (row.holder_id, row.operation_id, row.partly) for row in await session.execute(_PENDING, {"ids": list(ids)})
    ]


async def rights(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[Right]:
    """Their rights of which any use is left."""
    wanted = select(Right).where(Right.holder_id.in_(list(ids)), Right.remaining > 0)
    return (await session.scalars(wanted.order_by(Right.holder_id, Right.id))).all()


async def bookings(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[RightBooking]:
    """Their open bookings."""
    wanted = select(RightBooking).where(RightBooking.holder_id.in_(list(ids)), RightBooking.open)
    return (await session.scalars(wanted.order_by(RightBooking.holder_id, RightBooking.id))).all()


async def pools(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[PoolMember]:
    """Their memberships in pools."""
    wanted = select(PoolMember).where(PoolMember.member_id.in_(list(ids)), PoolMember.left_at.is_(None))
    return (await session.scalars(wanted.order_by(PoolMember.holder_id))).all()


_FORSAKEN = text("""
    SELECT holder_id FROM pool_member
    WHERE left_at IS NULL AND holder_id IN (SELECT holder_id FROM pool_member
                                            WHERE member_id = ANY(:ids) AND left_at IS NULL)
    GROUP BY 1 HAVING bool_and(member_id = ANY(:ids)) ORDER BY 1
""")


async def forsaken_pools(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[UUID]:
    """The pools in which nobody else is."""
    return (await session.scalars(_FORSAKEN, {"ids": list(ids)})).all()


async def left(session: AsyncSession, member_id: UUID) -> Left:
    """What a member would leave behind."""
    ids = [member_id]
    return Left(
        await wallets(session, ids),
        len(await holds(session, ids)),
        len(await pending(session, ids)),
        len(await rights(session, ids)),
        len(await pools(session, ids)),
    )
