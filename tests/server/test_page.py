"""The page of a role in the background, requests that are traced, and the dashboard that shows all figures."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alliance.runtime import Runtime
from domain.database import Database
from domain.events.commands import add_job, start_run
from domain.events.origin import origin
from domain.members.numbers import owners, take
from server import tracing
from server.metrics import Metrics
from server.middleware import RequestMiddleware
from server.page import page_at
from server.settings import Settings
from tests.alliance.file.test_apply import applied
from tests.alliance.file.test_identifying import owning
from tests.keys import KEYS
from workers import telemetry
from workers.process import Parts

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana-dashboard.json"
ALERTS = DASHBOARD.with_name("alerts.yaml")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def shown(role: str, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The page of a role, with figures of its own."""
    monkeypatch.setattr(telemetry, "REGISTRY", type(telemetry.REGISTRY)())
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(page_at("127.0.0.1", port, role)(stop, parts))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        stop.set()
        await serving


async def test_the_relay_shows_the_table_of_jobs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.transaction() as session:
        await add_job(session, "note", {})
    async with shown("relay", Parts(database), monkeypatch) as http:
        assert (await http.get("/healthz")).json() == {"alive": True}
        assert (await http.get("/readyz")).json() == {"ready": True, "role": "relay"}
        page = (await http.get("/metrics")).text
    assert 'tessera_jobs_waiting{actor="note",queue="default"} 1.0' in page
    assert 'tessera_jobs_failed_for_good{actor="note",queue="default"} 0.0' in page
    (age,) = re.findall(r'tessera_jobs_oldest_due_seconds\{actor="note",queue="default"\} (.*)', page)
    assert float(age) > 0


async def test_the_scheduler_shows_runs_and_the_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.transaction() as session:
        await start_run(session, "expiry UTC", NOW)
    async with shown("scheduler", Parts(database), monkeypatch) as http:
        page = (await http.get("/metrics")).text
    (due,) = re.findall(r'tessera_scheduled_due_timestamp_seconds\{name="expiry UTC"\} (.*)', page)
    assert float(due) == NOW.timestamp()
    assert "tessera_unsealed_operations 0.0" in page
    assert "tessera_unsealed_seconds 0.0" in page


async def test_the_scheduler_shows_what_is_left_of_member_numbers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await applied(database, owning('{from: "700000", to: "700009"}'))
    async with database.transaction() as session:
        [(owner, owned)] = (await owners(session)).values()
        await take(session, {(owner, owned): 9})
    async with shown("scheduler", Parts(database), monkeypatch) as http:
        page = (await http.get("/metrics")).text
    assert 'tessera_member_numbers{merchant="grocer"} 10.0' in page
    assert 'tessera_member_numbers_left{merchant="grocer"} 1.0' in page


async def test_a_worker_shows_its_engine_and_what_it_lacks(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        class client:
            @staticmethod
            def ping() -> None:
                raise ConnectionError

    async with Runtime.open(database_url, keys=KEYS) as runtime:
        parts = Parts(database, Away, runtime.engine)  # type: ignore[arg-type]
        async with shown("worker", parts, monkeypatch) as http:
            assert "tessera_engine_batches_total 0.0" in (await http.get("/metrics")).text
            async with database.transaction() as session:
                (current,) = (
                    await session.execute(text("UPDATE alembic_version SET version_num = 'old' RETURNING old.*"))
                ).one()
            try:
                response = await http.get("/readyz")
            finally:
                async with database.transaction() as session:
                    await session.execute(text("UPDATE alembic_version SET version_num = :is"), {"is": current})
    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "role": "worker",
        "database": "lacks migrations",
        "broker": "unreachable",
    }


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        page_at("127.0.0.1", taken.getsockname()[1], "relay")


@pytest.mark.parametrize("traced", [False, True])
async def test_a_request_knows_its_id_and_its_trace(traced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))

    async def who(_: Request) -> Response:
        return JSONResponse([origin().request_id, origin().traceparent])

    app = RequestMiddleware(Starlette(routes=[Route("/graphql", who)]), Metrics(), traced=traced)
    headers = {"X-Request-Id": "request-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api") as http:
        request_id, traceparent = (await http.get("/graphql", headers=headers)).json()
        assert (await http.get("/nowhere/private")).status_code == 404
    assert request_id == "request-1"
    if not traced:
        assert traceparent is None
        assert exporter.get_finished_spans() == ()
        return
    span, other = exporter.get_finished_spans()
    assert span.context is not None
    assert traceparent == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert (span.name, span.attributes) == (
        "GET /graphql",
        {
            "http.request.method": "GET",
            "http.route": "/graphql",
            "tessera.request_id": "request-1",
            "http.response.status_code": 200,
        },
    )
    assert other.name == "GET other"


async def test_the_dashboard_and_the_alerts_ask_for_figures_that_there_are(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, alerted = (set(re.findall(r"tessera_[a-z_]+", page.read_text())) for page in (DASHBOARD, ALERTS))
    metrics, told = Metrics(), set()
    own = telemetry.REGISTRY
    async with Runtime.open(database_url, keys=KEYS) as runtime:
        metrics.watch(runtime.engine)
        for role, parts in ((role, Parts(database)) for role in ("relay", "scheduler", "worker")):
            async with shown(role, parts, monkeypatch) as http:
                told |= set(re.findall(r"^# TYPE (\S+)", (await http.get("/metrics")).text, re.MULTILINE))
        response = await metrics.page(None)  # type: ignore[arg-type]
        told |= set(re.findall(r"^# TYPE (\S+)", bytes(response.body).decode(), re.MULTILINE))
    told |= {family.name for family in own.collect()}
    endings = ("", "_total", "_bucket", "_sum", "_count")
    known = {name.removesuffix("_total") + ending for name in told for ending in endings}
    assert asked
    assert asked <= known
    assert alerted <= asked, "what somebody is told of is also shown"


def test_the_packages_that_send_traces_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(tracing.TracingUnavailable, match=r"tessera-loyalty\[otel\]"):
        tracing.configure_tracing(Settings(otlp_endpoint="http://localhost:4318"), "api")


def test_the_dashboard_is_one() -> None:
    board = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) >= 10
