"""Reading messages: many keys in, many rows out."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.messages.model import Message

Key = tuple[UUID, UUID]
"""A holder, and a message of theirs."""


async def by_ids(session: AsyncSession, keys: Sequence[Key]) -> dict[Key, Message]:
    """The messages with these (holder, id); what is not there is left out."""
    rows = await session.scalars(select(Message).where(tuple_(Message.holder_id, Message.id).in_(list(keys))))
    return {(row.holder_id, row.id): row for row in rows}


async def channels_used(session: AsyncSession, sources: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], set[str]]:
    """On which channels there are messages of these (holder, source)."""
    found: dict[tuple[UUID, str], set[str]] = {source: set() for source in sources}
    query = select(Message.holder_id, Message.source, Message.channel)
    for holder_id, source, channel in await session.execute(
        query.where(tuple_(Message.holder_id, Message.source).in_(list(sources)))
    ):
        found[holder_id, source].add(channel)
    return found


_NEWEST = text("""
    SELECT m.* FROM unnest(CAST(:holders AS uuid[])) AS w (holder_id)
    CROSS JOIN LATERAL (SELECT * FROM message m WHERE m.holder_id = w.holder_id
                        AND (CAST(:merchant_id AS uuid) IS NULL OR m.merchant_id = CAST(:merchant_id AS uuid))
                        ORDER BY m.id DESC LIMIT :size) m
""")


async def newest(
    session: AsyncSession, holders: Sequence[UUID], merchant_id: UUID | None, size: int
) -> dict[UUID, list[Message]]:
    """The `size` newest messages of each holder; of one merchant, if it is named."""
    values: dict[str, Any] = {"holders": list(holders), "merchant_id": merchant_id, "size": size}
    found: dict[UUID, list[Message]] = {id_: [] for id_ in holders}
    for row in await session.scalars(select(Message).from_statement(_NEWEST), values):
        found[row.holder_id].append(row)
    return found


async def listed(session: AsyncSession, state: str | None, after: UUID | None, size: int) -> Sequence[Message]:
    """At most `size` messages, newest first, of one state if it is named, before the message `after`."""
    query = select(Message).order_by(Message.id.desc()).limit(size)
    if state is not None:
        query = query.where(Message.state == state)
    if after is not None:
        query = query.where(Message.id < after)
    return (await session.scalars(query)).all()
