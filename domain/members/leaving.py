"""How members leave: asked for, thought better of, closed. What is left of them then is settled by alliance.leaving."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.ledger.errors import MemberNotActive
from domain.members.errors import MemberNotLeaving
from domain.members.life import locked, turn
from domain.members.model import Member, MemberClosing, Membership, MemberStatus
from domain.members.reasons import CloseReason
from domain.stages.model import MemberStage


async def ask(
    session: AsyncSession,
    member_id: uuid.UUID,
    *,
    reason: CloseReason,
    own_wish: bool,
    closes_at: datetime,
    as_of: datetime,
    beneficiary_id: uuid.UUID | None = None,
) -> None:
    """Have a member leave: at once if `closes_at` has come, else then. Asked again, it is as it was asked last.

    Who is frozen does not leave by their own wish. Raises NotFound, InvalidInput, MemberNotActive.
    """
    member = await locked(session, member_id)
    status = member.status_at(as_of)
    if status == MemberStatus.CLOSED or (own_wish and status != MemberStatus.ACTIVE):
        raise MemberNotActive(status=status, path=("member",))
    if beneficiary_id == member_id:
        raise InvalidInput(reason="nobody gives to themselves", path=("beneficiary",))
    await session.execute(delete(MemberClosing).where(MemberClosing.holder_id == member_id))
    row = {"holder_id": member_id, "asked_at": as_of, "closes_at": closes_at, "reason": reason.value}
    row |= {"own_wish": own_wish, "beneficiary_id": beneficiary_id}
    await session.execute(insert(MemberClosing).values(row))
    if closes_at <= as_of:
        await _close(session, member, reason, as_of)
        return
    joined = await session.scalars(select(Membership.merchant_id).where(Membership.holder_id == member_id))
    data = {"closesAt": closes_at.isoformat(), "reason": reason.value}
    await add_event(session, member_id, EventKind.MEMBER_LEAVING, data, *joined)


async def withdraw(session: AsyncSession, member_id: uuid.UUID) -> None:
    """A member who asked to leave stays. Raises NotFound, MemberNotLeaving."""
    await locked(session, member_id)
    mine = MemberClosing.holder_id == member_id
    gone = delete(MemberClosing).where(mine, MemberClosing.closed_at.is_(None)).returning(MemberClosing.holder_id)
    if (await session.execute(gone)).first() is None:
        raise MemberNotLeaving(path=("member",))
    joined = await session.scalars(select(Membership.merchant_id).where(Membership.holder_id == member_id))
    await add_event(session, member_id, EventKind.MEMBER_STAYING, {}, *joined)


async def close_due(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Close at most `size` members whose time to think is over; how many. One at a time: each is locked."""
    due = select(MemberClosing).where(MemberClosing.closed_at.is_(None), MemberClosing.closes_at <= as_of)
    rows = (await session.scalars(due.order_by(MemberClosing.closes_at, MemberClosing.holder_id).limit(size))).all()
    for row in sorted(rows, key=lambda one: one.holder_id):
        member = await locked(session, row.holder_id)
        await _close(session, member, CloseReason(row.reason), as_of)
    return len(rows)


async def close_now(session: AsyncSession, member: Member, *, status: str, own_wish: bool, as_of: datetime) -> None:
    """Close a member who is locked and not closed yet, with this for the reason of their status.

    If they had asked to leave, they leave for what they said then, and so do their points.
    """
    reason = CloseReason.MEMBER_ASKED if own_wish else CloseReason.OTHER
    row = {"holder_id": member.id, "asked_at": as_of, "reason": reason.value, "own_wish": own_wish}
    asked = upsert(MemberClosing).values(row | {"closes_at": as_of})
    now = {"closes_at": as_of, "own_wish": or_(MemberClosing.own_wish, literal(own_wish))}
    await session.execute(asked.on_conflict_do_update(index_elements=["holder_id"], set_=now))
    await _close(session, member, status, as_of)


async def _close(session: AsyncSession, member: Member, reason: str, as_of: datetime) -> None:
    if member.status != MemberStatus.CLOSED:
        await turn(session, member, MemberStatus.CLOSED, reason=reason, as_of=as_of)
    mine = update(MemberClosing).where(MemberClosing.holder_id == member.id)
    await session.execute(mine.values(closed_at=as_of))
    await session.execute(delete(MemberStage).where(MemberStage.holder_id == member.id))


async def closings(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, MemberClosing]:
    """Those of these members who have asked to leave, or have left."""
    rows = await session.scalars(select(MemberClosing).where(MemberClosing.holder_id.in_(list(ids))))
    return {row.holder_id: row for row in rows}


_CUT = text("""
    SELECT holder_id FROM (
        SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n FROM member_closing
        WHERE closed_at IS NOT NULL AND settled_at IS NULL
    ) numbered
    WHERE n % :size = 0 ORDER BY holder_id
""")


async def cut_unsettled(session: AsyncSession, size: int) -> Sequence[uuid.UUID]:
    """The first of every `size` members, by id, who have left and of whom something may be left: where ranges begin."""
    return (await session.scalars(_CUT, {"size": size})).all()


async def unsettled(
    session: AsyncSession, first: uuid.UUID, before: uuid.UUID | None, size: int
) -> Sequence[MemberClosing]:
    """At most `size` of them, from `first` to before `before`; held until the transaction ends, and not those that
    another settles."""
    wanted = select(MemberClosing).where(MemberClosing.closed_at.is_not(None), MemberClosing.settled_at.is_(None))
    wanted = wanted.where(MemberClosing.holder_id >= first)
    if before is not None:
        wanted = wanted.where(MemberClosing.holder_id < before)
    found = wanted.order_by(MemberClosing.holder_id).limit(size).with_for_update(skip_locked=True)
    return (await session.scalars(found, execution_options={"populate_existing": True})).all()


async def settled(session: AsyncSession, ids: Sequence[uuid.UUID], *, kept: bool) -> None:
    """Of these members nothing is left, but what the law has them keep (`kept`)."""
    mine = update(MemberClosing).where(MemberClosing.holder_id.in_(list(ids)))
    await session.execute(mine.values(settled_at=func.clock_timestamp(), kept=kept))
