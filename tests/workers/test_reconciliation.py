"""The night's reconciliation: what it proves, finds, and says has not returned to zero; kept, and begun anew."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY
from uuid import UUID

import pytest
from sqlalchemy import text

from alliance.reconciliation.commands import begin
from alliance.reconciliation.model import Outstanding, Reconciliation
from alliance.reconciliation.queries import outstanding, reconciliations
from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from domain.ledger.verify import Progress, Proof
from resolvers.viewer import Scope
from tests.alliance.support import NOON, House
from tests.schema.support import client_of, viewer_of
from tests.server.test_page import shown
from tests.workers.support import all_jobs, mark_handed_out
from workers import prover
from workers.actor import work_off
from workers.actors import all_actors
from workers.process import Parts
from workers.prover import keep_proving, prove_next

RECONCILE = all_actors(b"s" * 32)["reconcile"]
NIGHT = datetime(2019, 1, 1, 5, tzinfo=UTC)


async def night(runtime: Runtime) -> list[Reconciliation]:
    """One more, and all that there were, the newest first."""
    async with runtime.database.transaction() as session:
        await add_jobs(session, [NewJob("reconcile", {"as_of": NIGHT.isoformat()}, queue="bulk")])
    await work_off(runtime, RECONCILE, await mark_handed_out(runtime.database))
    assert await all_jobs(runtime.database) == []
    assert await prove_next(runtime.database)
    assert not await prove_next(runtime.database)
    async with runtime.database.session() as session:
        return list(await reconciliations(session, 10))


async def add_to_account(runtime: Runtime, member: UUID, points: int) -> None:
    """As nobody should."""
    change = text("UPDATE account SET posted = posted + :points WHERE holder_id = :member")
    async with runtime.database.transaction() as session:
        await session.execute(change, {"points": points, "member": member})


async def test_r26_the_night_says_that_the_books_agree_or_what_differs(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(runtime)
    member = await house.member()
    await house.earn(member, "fuel", 100, as_of=NIGHT - timedelta(hours=1))
    (first,) = await night(runtime)
    assert (first.as_of, first.found, first.differences, first.outstanding) == (NIGHT, 0, [], [])
    assert (first.operations, first.finished_at is not None) == (1, True)
    assert await all_jobs(runtime.database) == []

    await add_to_account(runtime, member, 1)
    last, _ = await night(runtime)
    await add_to_account(runtime, member, -1)
    assert last.found == 3
    assert str(member) in {one["holder"] for one in last.differences}
    operator = client_of(runtime).signed_in(viewer_of("operator", scopes=[Scope.JOBS_READ]))
    found = await operator.run(
        "{ reconciliations(first: 1) { totalCount edges { node { asOf status found differences { kept proved } } } } }"
    )
    node = found["reconciliations"]["edges"][0]["node"]
    assert (found["reconciliations"]["totalCount"], node["status"]) == (2, "DIFFERS")
    assert {int(one["kept"]) - int(one["proved"]) for one in node["differences"]} == {1}
    async with shown("scheduler", Parts(runtime.database), monkeypatch) as http:
        page = (await http.get("/metrics")).text
    assert f"tessera_books_differences {float(last.found)}" in page
    await operator.http.aclose()


async def test_what_has_not_returned_to_zero_is_named(runtime: Runtime) -> None:
    """A cycle to be paid, points, and a job: nobody did the night's work for ten years, or paid."""
    house = House(runtime)
    await house.earn(await house.member(), "fuel", 10_000)
    cycle = await house.through(await house.close(), last="settle_cycle")
    async with runtime.database.transaction() as session:
        await add_jobs(session, [NewJob("settle", {})])
        await session.execute(text("UPDATE job SET failed_at = :at"), {"at": NIGHT})
        assert cycle.payments_due is not None
        named = {}
        for late in (cycle.payments_due - timedelta(seconds=1), NOON + timedelta(days=3650)):
            named[late] = {one.what: one for one in await outstanding(session, late)}
    soon, late = named.values()
    assert set(soon) == {"jobs that failed for good"}
    assert set(late) == {"jobs that failed for good", "payments past their day", "points past their end"}
    assert late["points past their end"] == Outstanding("points past their end", "GRO", 1, 10_000, ANY)
    assert late["payments past their day"] == Outstanding(
        "payments past their day", "minor units", 1, 9_000, cycle.payments_due
    )


async def test_a_proof_that_was_stopped_begins_anew_and_tells_how_far_it_is(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs nobody else proves, and it keeps no transaction that what is sealed would have to wait for."""
    monkeypatch.setattr(prover, "TELL", 0.01)
    database, stop = runtime.database, asyncio.Event()

    async def endless(session: Any, proof: Proof | None = None, progress: Progress = lambda *_: None) -> Proof:
        progress("operations", 7, 9)
        await asyncio.Event().wait()
        return Proof()

    async def newest() -> Reconciliation:
        async with database.session() as session:
            return (await reconciliations(session, 1))[0]

    async with database.transaction() as session:
        await begin(session, new_id(), NIGHT)
    with monkeypatch.context() as patch:
        patch.setattr(prover, "verify", endless)
        proving = asyncio.create_task(keep_proving(database, stop))
        async with asyncio.timeout(60):
            while (await newest()).step != "operations":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        row = await newest()
        assert (row.done, row.total, row.finished_at) == (7, 9, None)
        assert not await prove_next(database)
        stop.set()
        await proving
    assert await prove_next(database)
    row = await newest()
    assert (row.found, row.finished_at is not None) == (0, True)
