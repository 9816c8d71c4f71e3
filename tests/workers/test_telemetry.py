"""What asked for a job stays known: in its row, in logs, in the jobs that it adds, in traces. And the figures."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.database import Database
from domain.errors import InvalidInput
from domain.events.commands import add_job, add_jobs
from domain.events.model import HeldJob, NewJob
from domain.events.origin import Origin, origin, work_for
from domain.events.queries import queue_state
from server.metrics import Metrics
from server.middleware import RequestMiddleware
from tests.workers.support import NOTE, Processes, Until, all_done, all_jobs, has_noted, mark_handed_out
from workers import telemetry
from workers.actor import Actor, work_off
from workers.watchdog import STALLED

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    """What is traced in this process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


async def split(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
    """An actor that adds jobs."""
    await add_jobs(session, [NewJob("part", job.args) for job in jobs])
    return {}


async def asked(database: Database, asker: Origin, count: int = 1) -> None:
    async def add() -> None:
        work_for(asker)
        async with database.transaction() as session:
            await add_jobs(session, [NewJob("whole", {"n": n}) for n in range(count)])

    await asyncio.create_task(add())
    assert origin() == Origin()  # a task's own


async def test_a_job_and_what_it_adds_belong_to_the_request(
    house: Runtime, database: Database, spans: InMemorySpanExporter
) -> None:
    await asked(database, Origin("request-1", PARENT))
    (whole,) = await all_jobs(database)
    assert (whole.request_id, whole.traceparent) == ("request-1", PARENT)

    spans.clear()
    await asyncio.create_task(work_off(house, Actor("whole", split), await mark_handed_out(database)))
    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert (span.name, f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (
        "whole",
        TRACE,
        "b7ad6b7169203331",
    )
    (part,) = await all_jobs(database)
    assert part.request_id == "request-1"
    assert part.traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"


async def test_a_trace_goes_from_a_request_through_the_table_and_the_broker_to_the_actor(
    database: Database, processes: Processes, until: Until, spans: InMemorySpanExporter
) -> None:
    async def ask(_: Request) -> Response:
        async with database.transaction() as session:
            await add_job(session, "note", {"n": 1})
        return Response()

    spans.clear()
    app = RequestMiddleware(Starlette(routes=[Route("/graphql", ask)]), Metrics(), traced=True)
    headers = {"X-Request-Id": "request-1", "traceparent": PARENT}
    async with (
        processes(NOTE),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as http,
    ):
        await http.get("/graphql", headers=headers)
        await until(has_noted(database, 1))
        await until(all_done(database))
    asked, done = spans.get_finished_spans()
    assert asked.context is not None
    assert done.context is not None
    assert done.parent is not None
    assert (asked.name, done.name) == ("GET /graphql", "note")
    assert f"{asked.context.trace_id:032x}" == f"{done.context.trace_id:032x}" == TRACE
    assert done.parent.span_id == asked.context.span_id


async def test_what_several_asked_for_links_to_all_of_them(
    house: Runtime, database: Database, spans: InMemorySpanExporter
) -> None:
    await asked(database, Origin("request-1", PARENT))
    await asked(database, Origin("request-2", PARENT.replace("b7ad", "c7ad")))
    spans.clear()
    await asyncio.create_task(work_off(house, Actor("whole", split, batch=2), await mark_handed_out(database)))
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert {f"{link.context.span_id:016x}" for link in span.links} == {"b7ad6b7169203331", "c7ad6b7169203331"}
    assert {job.request_id for job in await all_jobs(database)} == {None}


async def test_a_job_that_nobody_asked_for_is_known_by_its_own_id(house: Runtime, database: Database) -> None:
    async with database.transaction() as session:
        await add_job(session, "whole", {})
    (whole,) = await mark_handed_out(database)
    await asyncio.create_task(work_off(house, Actor("whole", split), [whole]))
    (part,) = await all_jobs(database)
    assert part.request_id == whole.hex


async def test_attempts_are_counted_by_how_they_end(house: Runtime, database: Database) -> None:
    async def fussy(runtime: Runtime, session: AsyncSession, jobs: Sequence[HeldJob]) -> Mapping[UUID, Exception]:
        return {job.id: InvalidInput(reason="no") for job in jobs if job.args["n"] == 0}

    await asked(database, Origin("request-1"), 3)
    await work_off(house, Actor("fussy", fussy, batch=3), await mark_handed_out(database))

    def count(outcome: str) -> float | None:
        return telemetry.REGISTRY.get_sample_value("tessera_jobs_total", {"actor": "fussy", "outcome": outcome})

    assert (count("done"), count("refused"), count("failed")) == (2, 1, None)
    async with database.session() as session:
        (state,) = await queue_state(session)
    assert (state.queue, state.actor, state.waiting, state.failed) == ("default", "whole", 0, 1)


async def test_a_process_whose_loop_is_blocked_ends_and_says_where() -> None:
    program = Path(__file__).with_name("blocked.py")
    process = await asyncio.create_subprocess_exec(sys.executable, str(program), stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    assert process.returncode == STALLED
    assert b"blocked.py" in said
    assert b"wait_for_ever" in said
