"""Idempotency keys of mutations that are not ledger operations: same key, same answer, in the caller's transaction."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import IdempotencyConflict, Refusal
from domain.ledger.model import IdempotencyKey
from domain.ledger.request import Key


async def remembered(session: AsyncSession, key: Key) -> dict[str, Any] | None:
    """What this key was answered, or None. Raises IdempotencyConflict, or the refusal that was remembered."""
    row = (
        await session.execute(
            select(IdempotencyKey.fingerprint, IdempotencyKey.outcome).where(
                IdempotencyKey.client_id == key.client_id,
                IdempotencyKey.subject == key.subject,
                IdempotencyKey.key == key.value,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    if not key.asks_as(row.fingerprint):
        raise IdempotencyConflict(path=("idempotencyKey",))
    outcome: dict[str, Any] = row.outcome or {}
    if "refusal" in outcome:
        raise Refusal.from_json(outcome["refusal"])
    return outcome


async def remember(session: AsyncSession, key: Key, holder_id: UUID, outcome: dict[str, Any]) -> None:
    """Keep the answer. Of two transactions with one key the later fails on the primary key, and is tried again."""
    await session.execute(
        insert(IdempotencyKey).values(
            client_id=key.client_id,
            subject=key.subject,
            key=key.value,
            fingerprint=key.fingerprint,
            holder_id=holder_id,
            outcome=outcome,
        )
    )
