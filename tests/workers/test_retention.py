"""Idempotency keys are forgotten after 400 days (R27), a bounded number at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.model import HeldJob
from domain.ledger.retention import KEYS_KEPT
from tests.alliance.support import House, key
from tests.ledger_support import rows
from workers.actors import retention

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_r27_keys_are_kept_400_days_and_then_forgotten(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "KEYS_A_JOB", 2)
    house, database = House(runtime), runtime.database
    member, keys = await house.member(), [key() for _ in range(4)]
    for one in keys:
        await house.earn(member, "grocer", 5, key=one)
    for one, age in zip(keys, (KEYS_KEPT + timedelta(seconds=1), KEYS_KEPT * 2, KEYS_KEPT, timedelta(0)), strict=True):
        await rows(database, "UPDATE idempotency_key SET created_at = $1 WHERE key = $2", NOW - age, one.value)
    async with database.transaction() as session:
        job = HeldJob(new_id(), {"as_of": NOW.isoformat()}, 1)
        assert await retention.forget_keys(runtime, session, [job]) == {}
    kept = await rows(database, "SELECT key FROM idempotency_key")
    assert {row["key"] for row in kept} == {one.value for one in keys[2:]}
    assert len(await rows(database, "SELECT id FROM job WHERE actor = 'forget_keys'")) == 1, "that goes on"
    assert not (await house.earn(member, "grocer", 5, key=keys[0])).duplicate
    assert (await house.earn(member, "grocer", 5, key=keys[2])).duplicate
