"""The life of a member: frozen for a while, and restored.

Each command waits for what is being posted for the member, and whatever is posted next sees what it wrote.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import lock_key
from domain.errors import InvalidInput, NotFound
from domain.events.commands import add_event, add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.ledger.errors import MemberNotActive
from domain.ledger.standing import Standing
from domain.members.errors import MemberNotFrozen
from domain.members.model import Member, Membership, MemberStatus
from domain.members.reasons import FreezeReason
from domain.privacy.vault import open_many, seal_many
from domain.sessions.commands import sign_out

NOTE = "status_note"
THAWED = "TIME_OVER"
"""Why a member is active again whose freeze had an end."""


async def require_active(
    session: AsyncSession, member_id: uuid.UUID, as_of: datetime, path: tuple[str, ...] = ("member",)
) -> None:
    """Raises NotFound, or MemberNotActive for who may not do anything new at `as_of`."""
    stands = select(Member.status, Member.jurisdiction, Member.frozen_until).where(Member.id == member_id)
    row = (await session.execute(stands)).one_or_none()
    if row is None:
        raise NotFound(what="member", path=path)
    Standing(*row).require_active(as_of, path)


async def freeze(
    session: AsyncSession,
    member_id: uuid.UUID,
    *,
    reason: FreezeReason,
    as_of: datetime,
    until: datetime | None = None,
    note: str | None = None,
) -> None:
    """Let a member look and move nothing, until `until` or until they are restored. Anew: for another time or reason.

    Raises NotFound, InvalidInput, or MemberNotActive for a member who has closed.
    """
    if until is not None and until <= as_of:
        raise InvalidInput(reason="must be in the future", path=("until",))
    member = await locked(session, member_id)
    if member.status == MemberStatus.CLOSED:
        raise MemberNotActive(status=member.status, path=("member",))
    sealed = (await seal_many(session, [(member_id, NOTE, note)]))[0] if note else None
    await turn(session, member, MemberStatus.FROZEN, reason=reason, as_of=as_of, until=until, note=sealed)


async def note_of(session: AsyncSession, member: Member) -> str | None:
    """What there is to say of how a member stands; None where nothing is, or their key was destroyed."""
    if member.status_note is None:
        return None
    return (await open_many(session, [(member.id, NOTE, member.status_note)]))[0]


async def restore(session: AsyncSession, member_id: uuid.UUID, *, reason: str, as_of: datetime) -> None:
    """Let a frozen member move points again. Raises NotFound, MemberNotFrozen, MemberNotActive for one who closed."""
    member = await locked(session, member_id)
    if member.status == MemberStatus.CLOSED:
        raise MemberNotActive(status=member.status, path=("member",))
    if member.status_at(as_of) == MemberStatus.ACTIVE:
        raise MemberNotFrozen(path=("member",))
    await turn(session, member, MemberStatus.ACTIVE, reason=reason, as_of=as_of)


async def locked(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """The member, once what is being posted for them is done. Raises NotFound."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(member_id)})
    found = select(Member).where(Member.id == member_id)
    member = await session.scalar(found, execution_options={"populate_existing": True})
    if member is None:
        raise NotFound(what="member", path=("member",))
    return member


async def turn(
    session: AsyncSession,
    member: Member,
    status: MemberStatus,
    *,
    reason: str,
    as_of: datetime,
    until: datetime | None = None,
    note: bytes | None = None,
) -> None:
    """Write a member's new status, and tell the merchants they have joined. Why is kept, and not for merchants.

    Who has left, or whose account was taken over, is signed out everywhere.
    """
    before = member.status
    now: dict[str, Any] = {
        "status": status.value,
        "status_since": as_of,
        "status_reason": str(reason),
        "frozen_until": until,
        "status_note": note,
    }
    await session.execute(update(Member).where(Member.id == member.id).values(now))
    if status == MemberStatus.CLOSED or reason == FreezeReason.ACCOUNT_TAKEN_OVER:
        await sign_out(session, member.id, as_of)
    joined = await session.scalars(select(Membership.merchant_id).where(Membership.holder_id == member.id))
    data: dict[str, Any] = {"from": before, "to": status.value, "reason": str(reason)}
    if until is not None:
        data["until"] = until.isoformat()
    await add_event(session, member.id, EventKind.MEMBER_STATUS_CHANGED, data, *joined)


_THAW = text("""
    WITH over AS (
        SELECT id FROM member WHERE frozen_until <= :as_of ORDER BY id LIMIT :size FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE member m SET status = 'ACTIVE', status_since = m.frozen_until, status_reason = :reason, frozen_until = NULL,
                        status_note = NULL
    FROM over WHERE m.id = over.id
    RETURNING m.id, ARRAY(SELECT merchant_id FROM membership WHERE holder_id = m.id) AS merchants
""")


async def thaw(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Write that the freezes of at most `size` members are over, which they are since their time; how many were."""
    thawed = (await session.execute(_THAW, {"as_of": as_of, "size": size, "reason": THAWED})).all()
    data = {"from": MemberStatus.FROZEN.value, "to": MemberStatus.ACTIVE.value, "reason": THAWED}
    events = [NewEvent(id_, EventKind.MEMBER_STATUS_CHANGED, data, tuple(merchants)) for id_, merchants in thawed]
    await add_events(session, events)
    return len(thawed)
