"""Idempotency keys are forgotten after 400 days (R27), a bounded number at a time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from alliance.runtime import Runtime
from domain.base import first_id, new_id
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.retention import KEYS_KEPT
from tests.alliance.support import House, key
from tests.ledger_support import rows
from workers.actors import retention

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_r27_keys_are_kept_400_days_and_then_forgotten(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_A_JOB", 2)
    house, database = House(runtime), runtime.database
    member, keys = await house.member(), [key() for _ in range(4)]
    for one in keys:
        await house.earn(member, "grocer", 5, key=one)
    for one, age in zip(keys, (KEYS_KEPT + timedelta(seconds=1), KEYS_KEPT * 2, KEYS_KEPT, timedelta(0)), strict=True):
        await rows(database, "UPDATE idempotency_key SET created_at = $1 WHERE key = $2", NOW - age, one.value)
    async with database.transaction() as session:
        job = HeldJob(new_id(), {"as_of": NOW.isoformat()}, 1)
        assert await retention.forget_keys(retention.Kept())(runtime, session, [job]) == {}
    kept = await rows(database, "SELECT key FROM idempotency_key")
    assert {row["key"] for row in kept} == {one.value for one in keys[2:]}
    assert len(await rows(database, "SELECT id FROM job WHERE actor = 'forget_keys'")) == 1, "that goes on"
    assert not (await house.earn(member, "grocer", 5, key=keys[0])).duplicate
    assert (await house.earn(member, "grocer", 5, key=keys[2])).duplicate


async def test_messages_and_runs_are_kept_for_a_time(runtime: Runtime) -> None:
    """What is still to be sent stays, and the last run of each name, and a group of which a job is left."""
    house, database = House(runtime), runtime.database
    member, grocer = await house.member(), house.id("grocer")
    old, new = timedelta(days=401), timedelta(days=399)
    for number, (age, state) in enumerate([(old, "LOGGED"), (old, "WAITING"), (new, "LOGGED"), (old, "SKIPPED")]):
        await rows(
            database,
            """INSERT INTO message (holder_id, id, source, channel, kind, merchant_id, purpose, data, state, due_at)
               VALUES ($1, $2, $3, 'EMAIL', 'POINTS_EARNED', $4, 'SERVICE', '{}', $5, $6)""",
            *(member, UUID(int=first_id(NOW - age).int + number), str(number), grocer, state, NOW - age),
        )
    runs = [("lapse", 60), ("lapse", 31), ("lapse", 29), ("exits", 60)]
    for name, days in runs:
        await rows(
            database, "INSERT INTO scheduled_run (name, due_at) VALUES ($1, $2)", name, NOW - timedelta(days=days)
        )
    cut = [HeldJob(new_id(), {}, 1) for _ in range(2)]
    async with database.transaction() as session:
        for job in cut:
            await add_group(session, job, "expire", [NewJob("expire_range", {})])
    await rows(database, "UPDATE job_group SET started_at = $1", NOW - timedelta(days=31))
    await rows(database, "DELETE FROM job WHERE group_id = $1", cut[0].id)
    async with database.transaction() as session:
        job = HeldJob(new_id(), {"as_of": NOW.isoformat()}, 1)
        assert await retention.forget_keys(retention.Kept())(runtime, session, [job]) == {}
    assert {row["source"] for row in await rows(database, "SELECT source FROM message")} == {"1", "2"}
    left = await rows(database, "SELECT name, due_at FROM scheduled_run")
    assert {(row["name"], (NOW - row["due_at"]).days) for row in left} == {("lapse", 29), ("exits", 60)}
    assert [row["id"] for row in await rows(database, "SELECT id FROM job_group")] == [cut[1].id]


async def test_what_members_signed_in_by_is_forgotten(runtime: Runtime) -> None:
    """Codes that were shown or sent, attempts that were counted, sessions that are over; not those of today."""
    holder = new_id()
    for number, age in enumerate((timedelta(days=400), timedelta(0))):
        then, later = NOW - age, NOW - age + timedelta(hours=1)
        inserts = {
            "INSERT INTO member_code_use (holder_id, nonce, used_at) VALUES ($1, $2, $3)": (holder, number, then),
            "INSERT INTO one_time_code (destination, code_hash, merchant_id, expires_at) VALUES ($1, $1, $2, $3)": (
                bytes([number]),
                holder,
                later,
            ),
            "INSERT INTO attempt_count (kind, key, until, count) VALUES ('x', $1, $2, 1)": (bytes([number]), later),
            """INSERT INTO sign_in (holder_id, id, client_id, scopes, created_at, expires_at)
               VALUES ($1, $2, $2, '[]', $3, $4)""": (holder, new_id(), then, later),
        }
        for statement, values in inserts.items():
            await rows(runtime.database, statement, *values)
    async with runtime.database.transaction() as session:
        job = HeldJob(new_id(), {"as_of": NOW.isoformat()}, 1)
        assert await retention.forget_keys(retention.Kept())(runtime, session, [job]) == {}
    for table in ("member_code_use", "one_time_code", "attempt_count", "sign_in"):
        assert [row["n"] for row in await rows(runtime.database, f"SELECT count(*) AS n FROM {table}")] == [1], table
