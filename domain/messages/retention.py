"""Messages to members are kept for a time. What proves that somebody was told of a loss is kept with its notice."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.base import first_id

_FORGET = text("""
    DELETE FROM message WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM message WHERE id < :first AND state <> 'WAITING' ORDER BY id LIMIT :size))""")


async def forget_messages(session: AsyncSession, before: datetime, size: int) -> int:
    """Delete at most `size` messages that were added before, but for those that are still to be sent; how many."""
    deleted = await session.execute(_FORGET, {"first": first_id(before), "size": size})
    count: int = deleted.rowcount  # type: ignore[attr-defined]
    return count
