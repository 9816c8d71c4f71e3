"""Reading the access log: newest first."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.reads.model import PersonalRead, ReadAlert


async def newest(
    session: AsyncSession,
    *,
    first: int,
    before: UUID | None = None,
    holder_id: UUID | None = None,
    client_id: UUID | None = None,
) -> Sequence[PersonalRead]:
    """Entries of a holder, of a client, or all, newest first, from `before` this one."""
    wanted = select(PersonalRead).where(*_of(holder_id, client_id))
    if before is not None:
        wanted = wanted.where(PersonalRead.id < before)
    return (await session.scalars(wanted.order_by(PersonalRead.id.desc()).limit(first))).all()


async def count(session: AsyncSession, holder_id: UUID | None = None, client_id: UUID | None = None) -> int:
    """How many entries there are."""
    wanted = select(func.count()).select_from(PersonalRead).where(*_of(holder_id, client_id))
    return await session.scalar(wanted) or 0


async def alerts(session: AsyncSession, *, first: int) -> Sequence[ReadAlert]:
    """What was unusual, newest first."""
    return (await session.scalars(select(ReadAlert).order_by(ReadAlert.hour.desc()).limit(first))).all()


async def alerts_since(session: AsyncSession, since: datetime) -> int:
    """How many clients' hours were unusual since."""
    wanted = select(func.count()).select_from(ReadAlert).where(ReadAlert.raised_at >= since)
    return await session.scalar(wanted) or 0


def _of(holder_id: UUID | None, client_id: UUID | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if holder_id is not None:
        found.append(PersonalRead.holder_id == holder_id)
    if client_id is not None:
        found.append(PersonalRead.client_id == client_id)
    return found
