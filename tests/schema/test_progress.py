"""How far long work is, told as it happens: files, proofs of the books, and jobs that were cut into many."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alliance.accrual import commands
from alliance.accrual.model import AccrualPart, AccrualRun
from alliance.reconciliation.commands import begin, conclude, progressed
from alliance.runtime import Runtime
from domain.base import new_id
from domain.events.commands import add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.progress import add_group
from domain.ledger.verify import Proof
from resolvers import ids
from tests.schema.support import NOW, Client
from tests.schema.test_subscriptions import socket_of, told, waits
from tests.workers.support import NOTE, all_jobs, mark_handed_out
from workers.actor import work_off

RUN = "subscription ($id: ID!) { accrualRunProgress(run: $id) { status duplicate progress { done total } } }"
PROOF = "subscription ($id: ID!) { reconciliationProgress(reconciliation: $id) { status step done total } }"
GROUP = "subscription ($id: ID!) { jobGroupProgress(group: $id) { actor jobs done failed } }"


class Stream:
    """What one subscribed to, as server-sent events."""

    def __init__(self, client: Client, query: str, id_: str) -> None:
        self._answer = asyncio.create_task(client.post(query, {"id": id_}, accept="text/event-stream"))

    async def end(self) -> list[Any]:
        """All that was told, when it is over."""
        async with asyncio.timeout(20):
            *following, end = told((await self._answer).text)
        assert end == ("complete", None)
        return [data for _, data in following]


def figures(answers: list[Any], field: str) -> list[Any]:
    return [answer["data"][field] for answer in answers]


async def test_a_run_over_a_file_tells_how_far_it_is(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    """A14: to the merchant whose it is."""
    owner = runtime.catalogue.merchants["grocer"].id
    run = AccrualRun(id=new_id(), feed_id=new_id(), merchant_id=owner, definition={"format": "csv"}, file="a.csv")
    run.stamp, run.size, run.started_at, run.started_by, run.status = "1", 100, NOW, "schedule", "RUNNING"
    part = AccrualPart(run_id=run.id, number=0, start=10, stop=110, position=10, line=2)
    async with runtime.database.transaction() as session:
        feed = commands.FeedRow(id=run.feed_id, code="tills", merchant_id=owner, definition={})
        session.add_all([feed, run, part])
    id_ = ids.encode("AccrualRun", run.id)
    refused = figures_of_errors(await Stream(fuel, RUN, id_).end())
    assert refused == ["NOT_FOUND"]
    streams = [Stream(client, RUN, id_) for client in (operator, grocer)]
    await waits(operator, 2)
    async with runtime.database.transaction() as session:
        await commands.note_progress(session, part, 60, 7, commands.Tally(rows=5, read=5, duplicate=5), [])
    async with runtime.database.transaction() as session:
        await commands.finish_part(session, run.id, 0, NOW)
    for stream in streams:
        *seen, last = figures(await stream.end(), "accrualRunProgress")
        assert last == {"status": "DONE", "duplicate": 5, "progress": None}
        assert {one["status"] for one in seen} <= {"RUNNING"}, "what comes quickly is told as one, or twice"
        assert all(one["progress"] in ({"done": 0, "total": 100}, {"done": 50, "total": 100}) for one in seen)


def figures_of_errors(answers: list[Any]) -> list[str]:
    return [answer["errors"][0]["extensions"]["code"] for answer in answers]


async def test_a_proof_of_the_books_tells_how_far_it_is(runtime: Runtime, operator: Client, grocer: Client) -> None:
    proof = new_id()
    async with runtime.database.transaction() as session:
        await begin(session, proof, NOW)
    id_ = ids.encode("Reconciliation", proof)
    node = await operator.run("query ($id: ID!) { node(id: $id) { id ... on Reconciliation { status } } }", id=id_)
    assert node == {"node": {"id": id_, "status": "RUNNING"}}
    assert figures_of_errors(await Stream(grocer, PROOF, id_).end()) == ["FORBIDDEN"]
    stream = Stream(operator, PROOF, id_)
    await waits(operator, 1)
    async with runtime.database.transaction() as session:
        await progressed(session, proof, "accounts", 3, 9)
    async with runtime.database.transaction() as session:
        await conclude(session, proof, Proof(1, 2), [])
    *seen, last = figures(await stream.end(), "reconciliationProgress")
    assert all(one["status"] == "RUNNING" for one in seen)
    assert last == {"status": "BALANCED", "step": "accounts", "done": 3, "total": 9}


async def cut(runtime: Runtime, count: int) -> tuple[str, Mapping[int, UUID]]:
    """A job that was cut into so many; the group, and its jobs by their n. Another job is there as well."""
    job = HeldJob(new_id(), {"as_of": NOW.isoformat()}, 1)
    async with runtime.database.transaction() as session:
        await add_group(session, job, "notes", [NewJob("note", {"n": n}) for n in range(count)])
        await add_jobs(session, [NewJob("note", {"n": -1})])
    await mark_handed_out(runtime.database)
    return ids.encode("JobGroup", job.id), {one.args["n"]: one.id for one in await all_jobs(runtime.database)}


async def test_jobs_into_which_one_was_cut_tell_how_many_are_done(runtime: Runtime, operator: Client) -> None:
    group, jobs = await cut(runtime, 3)
    async with socket_of(operator) as socket:
        await socket.hear()
        await socket.say(type="connection_init", payload={"authorization": operator.headers["authorization"]})
        await socket.hear()
        await socket.say(type="subscribe", id="1", payload={"query": GROUP, "variables": {"id": group}})
        for done in range(4):
            heard = (await socket.hear())["payload"]["data"]["jobGroupProgress"]
            assert heard == {"actor": "notes", "jobs": 3, "done": done, "failed": 0}
            if done < 3:
                await work_off(runtime, NOTE["note"], [jobs[done]])
        assert (await socket.hear())["type"] == "complete"
    listed = await operator.run("{ jobGroups { totalCount edges { node { id asOf jobs done } } } }")
    node = {"id": group, "asOf": NOW.isoformat(), "jobs": 3, "done": 3}
    assert listed["jobGroups"] == {"totalCount": 1, "edges": [{"node": node}]}
