"""Signing in, renewing, signing out. What is revoked here, every API process hears of."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import new_id
from domain.sessions.model import Ended, SignIn, TokenRevocation

CHANNEL = "tessera_revoked"
IDLE = timedelta(days=30)
"""A session that was not renewed for so long is over."""
LONGEST = timedelta(days=365)
"""A session is over after that, however often it was renewed."""
REVOCATIONS_KEPT = timedelta(days=1)
"""Longer than any access token lives."""

_OPEN = (SignIn.ended_at.is_(None),)


async def sign_in(
    session: AsyncSession,
    member_id: uuid.UUID,
    *,
    client_id: uuid.UUID,
    scopes: Collection[str],
    as_of: datetime,
    device_id: uuid.UUID | None = None,
) -> SignIn:
    """A new session of a member's, on one of their devices where that was said."""
    row = SignIn(
        holder_id=member_id,
        id=new_id(),
        client_id=client_id,
        scopes=sorted(scopes),
        generation=0,
        created_at=as_of,
        expires_at=as_of + IDLE,
        device_id=device_id,
    )
    session.add(row)
    await session.flush()
    return row


async def renew(
    session: AsyncSession,
    holder_id: uuid.UUID,
    session_id: uuid.UUID,
    generation: int,
    *,
    client_id: uuid.UUID,
    as_of: datetime,
) -> SignIn | Ended | None:
    """Use the refresh token of a generation, once, by the client that it was given to; None if it is no good.

    One that was used before was stolen, or its successor was: the session ends, REUSED (RFC 9700, section 4.14.2).
    """
    of_session = (SignIn.holder_id == holder_id, SignIn.id == session_id, SignIn.client_id == client_id)
    renewed = await session.scalar(
        update(SignIn)
        .where(*of_session, *_OPEN, SignIn.generation == generation, SignIn.expires_at > as_of)
        .values(generation=generation + 1, expires_at=func.least(as_of + IDLE, SignIn.created_at + LONGEST))
        .returning(SignIn)
    )
    if renewed is None and await session.scalar(
        select(SignIn.id).where(*of_session, *_OPEN, SignIn.generation > generation)
    ):
        await end(session, holder_id, session_id, Ended.REUSED, client_id=client_id, as_of=as_of)
        return Ended.REUSED
    return renewed


async def end(
    session: AsyncSession,
    holder_id: uuid.UUID,
    session_id: uuid.UUID,
    why: Ended,
    *,
    client_id: uuid.UUID,
    as_of: datetime,
) -> bool:
    """End a session of this client's, and revoke its access tokens; False if it was over."""
    ended = await session.scalar(
        update(SignIn)
        .where(SignIn.holder_id == holder_id, SignIn.id == session_id, SignIn.client_id == client_id, *_OPEN)
        .values(ended_at=as_of, ended_why=why.value)
        .returning(SignIn.id)
    )
    if ended is not None:
        await revoke(session, session_id)
    return ended is not None


async def sign_out(session: AsyncSession, member_id: uuid.UUID, as_of: datetime) -> None:
    """Sign a member out everywhere: their sessions end, and all tokens that sign them in are revoked."""
    ended = {"ended_at": as_of, "ended_why": Ended.EVERYWHERE.value}
    await session.execute(update(SignIn).where(SignIn.holder_id == member_id, *_OPEN).values(ended))
    await revoke(session, member_id, now=True)


async def revoke(session: AsyncSession, subject: uuid.UUID, *, now: bool = False) -> None:
    """Let no access token that names `subject` be good; with `now`, those to come are."""
    before = func.clock_timestamp() if now else None
    await session.execute(insert(TokenRevocation).values(subject=subject, before=before))
    await session.execute(select(func.pg_notify(CHANNEL, "")))


async def revoked_since(session: AsyncSession, moment: datetime) -> list[tuple[uuid.UUID, datetime | None]]:
    """What was revoked since a moment."""
    wanted = select(TokenRevocation.subject, TokenRevocation.before).where(TokenRevocation.created_at >= moment)
    return [(subject, before) for subject, before in await session.execute(wanted.order_by(TokenRevocation.position))]


_FORGET = text("""
    DELETE FROM sign_in
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM sign_in WHERE expires_at < :before LIMIT :size))""")


async def forget_sessions(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Delete at most `size` sessions that are over, and old revocations; how many sessions."""
    await session.execute(delete(TokenRevocation).where(TokenRevocation.created_at < as_of - REVOCATIONS_KEPT))
    deleted = await session.execute(_FORGET, {"before": as_of - IDLE, "size": size})
    count: int = deleted.rowcount  # type: ignore[attr-defined]
    return count
