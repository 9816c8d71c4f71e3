"""What is kept for a time: the answers to idempotency keys."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

KEYS_KEPT = timedelta(days=400)
"""How long a repeated key gets the answer of the first call; after that it is a new key."""

_FORGET = text("""
    DELETE FROM idempotency_key
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_key WHERE created_at < :before LIMIT :size))""")


async def forget_keys(session: AsyncSession, as_of: datetime, size: int) -> int:
    """Delete at most `size` keys that were used too long before `as_of`; how many they were."""
    deleted = await session.execute(_FORGET, {"before": as_of - KEYS_KEPT, "size": size})
    count: int = deleted.rowcount  # type: ignore[attr-defined]
    return count
