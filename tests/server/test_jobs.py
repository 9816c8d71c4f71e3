"""`tessera jobs`: what is to be done, what failed, what the clock starts, and what the nights' proofs came to."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from alliance.reconciliation.commands import begin, conclude
from alliance.runtime import Runtime
from domain.base import new_id
from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.verify import Difference, Proof
from server.cli import app
from server.settings import get_settings
from tests.alliance.support import NOON
from tests.workers.support import all_jobs


@pytest.fixture(autouse=True)
def settings(runtime: Runtime, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample alliance, in the database that the commands work on."""
    monkeypatch.setenv("TESSERA_DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


async def tessera(*words: str) -> tuple[int, Any]:
    """Its exit code and what it says."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["jobs", *words, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr


async def test_jobs_by_hand(database: Database) -> None:
    async with database.transaction() as session:
        await add_jobs(session, [NewJob("note", {"n": n}) for n in range(3)])
    ids = [str(job.id) for job in await all_jobs(database)]
    async with database.transaction() as session:
        await session.execute(text("UPDATE job SET failed_at = now() WHERE id <> :waiting"), {"waiting": ids[0]})
    _, listed = await tessera("list", "--failed")
    assert [job["id"] for job in listed["jobs"]] == ids[1:]
    assert (await tessera("show", ids[1]))[1]["args"] == {"n": 1}
    assert (await tessera("retry", ids[1]))[0] == 0
    assert (await tessera("discard", ids[2]))[0] == 0
    assert (await tessera("discard", ids[0]))[0] == 1, "it has not failed"
    assert [(str(job.id), job.failed_at) for job in await all_jobs(database)] == [(ids[0], None), (ids[1], None)]


async def test_how_far_jobs_are_that_were_cut(database: Database) -> None:
    async with database.transaction() as session:
        await add_group(session, HeldJob(new_id(), {}, 1), "expire", [NewJob("note", {"n": n}) for n in range(3)])
    done, failed, _ = [job.id for job in await all_jobs(database)]
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM job WHERE id = :id"), {"id": done})
        await session.execute(text("UPDATE job SET failed_at = now() WHERE id = :id"), {"id": failed})
    _, told = await tessera("groups")
    names = ("actor", "jobs", "done", "failed")
    assert [[group[name] for name in names] for group in told["groups"]] == [["expire", 3, 1, 1]]


async def test_what_the_clock_starts_by_hand(database: Database) -> None:
    _, runs = await tessera("schedule")
    assert {"reconciliation", "settlement"} <= {run["name"] for run in runs["runs"]}
    as_of = "2026-03-01T00:00:00Z"
    assert (await tessera("run", "reconcile", "--as-of", as_of))[0] == 0
    (job,) = await all_jobs(database)
    assert (job.actor, job.args, job.queue) == ("reconcile", {"as_of": "2026-03-01T00:00:00+00:00"}, "bulk")
    assert (await tessera("run", "nothing"))[0] == 2


async def test_reconciliations_end_with_what_the_last_one_found(database: Database) -> None:
    assert await tessera("reconciliations") == (0, {"reconciliations": []})
    differing = Proof(found=1, differences=[Difference("check", "holder", "what", "GRO", 2, 1)])
    for proof, code in ((differing, 1), (Proof(), 0)):
        async with database.transaction() as session:
            id_ = new_id()
            await begin(session, id_, NOON)
            await conclude(session, id_, proof, [])
            await begin(session, new_id(), NOON)  # one that runs says nothing yet
        found, told = await tessera("reconciliations")
        assert (found, told["reconciliations"][1]["found"]) == (code, code)
