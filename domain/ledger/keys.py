"""Idempotency keys of mutations that are not ledger operations: same key, same answer, in the caller's transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Text, any_, cast, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import IdempotencyConflict, Refusal
from domain.ledger.model import IdempotencyKey
from domain.ledger.request import Key

_REMEMBER = text("""
    INSERT INTO idempotency_key (client_id, subject, key, fingerprint, holder_id, outcome)
    SELECT client_id, subject, key, fingerprint, subject, CAST(outcome AS jsonb)
    FROM unnest(CAST(:clients AS uuid[]), CAST(:subjects AS uuid[]), CAST(:keys AS text[]),
                CAST(:fingerprints AS bytea[]), CAST(:outcomes AS text[]))
        AS answered (client_id, subject, key, fingerprint, outcome)
    ORDER BY key
""")


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


async def remembered_many(session: AsyncSession, keys: Sequence[Key]) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """The fingerprint and the answer of each of these keys that is known, by its value; all are of one subject."""
    if not keys:
        return {}
    wanted = select(IdempotencyKey.key, IdempotencyKey.fingerprint, IdempotencyKey.outcome).where(
        IdempotencyKey.client_id == keys[0].client_id,
        IdempotencyKey.subject == keys[0].subject,
        IdempotencyKey.key == any_(cast([key.value for key in keys], ARRAY(Text()))),
    )
    return {key: (fingerprint, outcome or {}) for key, fingerprint, outcome in await session.execute(wanted)}


async def remember_many(session: AsyncSession, answers: Sequence[tuple[Key, dict[str, Any]]]) -> None:
    """Keep these answers, as `remember` does; in one order, so that no two transactions wait for each other."""
    if not answers:
        return
    ordered = sorted(answers, key=lambda answer: answer[0].value)
    columns = {
        "clients": [key.client_id for key, _ in ordered],
        "subjects": [key.subject for key, _ in ordered],
        "keys": [key.value for key, _ in ordered],
        "fingerprints": [key.fingerprint for key, _ in ordered],
        "outcomes": [orjson.dumps(outcome).decode() for _, outcome in ordered],
    }
    await session.execute(_REMEMBER, columns)
