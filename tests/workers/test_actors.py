"""Accrual and settlement from jobs, over the sample alliance."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from alliance.runtime import Runtime
from alliance.settlement.closing import ensure_open_cycle
from alliance.settlement.model import SettlementCycle
from domain.base import new_id
from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.ledger.model import Lot
from tests.workers.support import all_jobs, mark_handed_out
from workers.actor import work_off
from workers.actors import all_actors

ACTORS = all_actors(b"s" * 32)
CLIENT = str(new_id())


def purchase(card: str, amount: str, **more: Any) -> dict[str, Any]:
    """A line as a feed sends it, but without a key."""
    money = {"amount": amount, "currency": "USD"}
    return {
        "merchant": "grocer",
        "member": {"type": "CARD", "value": card},
        "channel": "STORE",
        "amount": money,
        "tenders": [{"kind": "MONEY", "amount": money}],
        **more,
    }


async def add_accruals(database: Database, *args: dict[str, Any]) -> list[UUID]:
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("accrue", one) for one in args])
    return await mark_handed_out(database)


async def granted(database: Database) -> list[int]:
    async with database.session() as session:
        return sorted(await session.scalars(select(Lot.granted)))


async def test_accruals_are_posted_once(database: Database, runtime: Runtime) -> None:
    ids = await add_accruals(
        database,
        {"lines": [purchase("900", "10.00")]},
        {"lines": [purchase("900", "20.00"), purchase("901", "30.00")], "client": CLIENT, "subject": CLIENT},
    )
    await work_off(runtime, ACTORS["accrue"], ids)
    assert await granted(database) == [10, 20, 30]
    assert await all_jobs(database) == []


async def test_r27_an_accrual_posted_before_its_worker_died_is_not_posted_again(
    database: Database, runtime: Runtime
) -> None:
    ids = await add_accruals(database, {"lines": [purchase("900", "10.00"), purchase("901", "20.00")]})
    (job,) = await all_jobs(database)
    async with database.transaction() as session:
        await ACTORS["accrue"].work(runtime, session, [HeldJob(job.id, job.args, 1)])
        await session.rollback()
    assert await granted(database) == [10, 20]
    await work_off(runtime, ACTORS["accrue"], ids)
    assert await granted(database) == [10, 20]
    assert await all_jobs(database) == []


async def test_a_purchase_with_a_key_is_one_purchase_however_it_comes(database: Database, runtime: Runtime) -> None:
    line = purchase("900", "10.00", key="till-7-0001")
    one = {"lines": [line], "client": CLIENT, "subject": CLIENT}
    for _ in range(2):
        await work_off(runtime, ACTORS["accrue"], await add_accruals(database, one, one))
    assert await granted(database) == [10]
    other = {"lines": [purchase("900", "11.00", key="till-7-0001")], "client": CLIENT, "subject": CLIENT}
    await work_off(runtime, ACTORS["accrue"], await add_accruals(database, other))
    (job,) = await all_jobs(database)
    assert (job.last_error, job.failed_at is None) == ("IDEMPOTENCY_CONFLICT at idempotencyKey", False)


async def test_a_refused_purchase_is_a_row_with_the_reason(database: Database, runtime: Runtime) -> None:
    ids = await add_accruals(
        database,
        {"lines": [purchase("900", "10.00", merchant="nobody")]},
        {"lines": [purchase("900", "-10.00"), purchase("900", "5.00")]},
        {"lines": [purchase("900", "7.00")]},
    )
    await work_off(runtime, ACTORS["accrue"], ids)
    assert await granted(database) == [5, 7]
    reasons = [job.last_error for job in await all_jobs(database) if job.failed_at]
    assert reasons == ["NOT_FOUND at merchant", "INVALID_INPUT at tenders.0.amount.amount"]


async def cycles(database: Database) -> Sequence[tuple[int, str]]:
    async with database.session() as session:
        found = await session.scalars(select(SettlementCycle).order_by(SettlementCycle.number))
        return [(cycle.number, cycle.status) for cycle in found]


async def settle(database: Database, runtime: Runtime, as_of: datetime) -> None:
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("settle", {"as_of": as_of.isoformat()})])
    await work_off(runtime, ACTORS["settle"], await mark_handed_out(database))
    assert await all_jobs(database) == []


async def test_a_cycle_closes_and_is_netted_by_the_calendar(database: Database, runtime: Runtime) -> None:
    opened = datetime(2017, 1, 4, 12, tzinfo=UTC)
    async with database.transaction() as session:
        await ensure_open_cycle(session, opened)
    await settle(database, runtime, opened + timedelta(days=1))
    assert await cycles(database) == [(1, "OPEN")]
    await settle(database, runtime, opened + timedelta(days=7))
    assert [number for number, _ in await cycles(database)] == [1, 2]
    await settle(database, runtime, opened + timedelta(days=13))  # the 16th was a holiday: not the third day yet
    assert (await cycles(database))[0] == (1, "STATED")
    await settle(database, runtime, opened + timedelta(days=14))
    (first, second, *_) = await cycles(database)
    assert first == (1, "SETTLED")
    assert second[0] == 2


async def test_two_settlements_at_once_do_each_step_once(database: Database, runtime: Runtime) -> None:
    opened = datetime(2017, 1, 4, 12, tzinfo=UTC)
    async with database.transaction() as session:
        await ensure_open_cycle(session, opened)
    args = {"as_of": (opened + timedelta(days=30)).isoformat()}
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("settle", args) for _ in range(3)])
    ids = await mark_handed_out(database)
    await asyncio.gather(*(work_off(runtime, ACTORS["settle"], [id_]) for id_ in ids))
    assert await all_jobs(database) == []
    assert [number for number, _ in await cycles(database)] == [1, 2]
