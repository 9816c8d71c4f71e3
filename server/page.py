"""What a relay, a worker or a scheduler answers on a port of its own: whether it lives, is ready, and its figures."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
import uvicorn
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alliance.proofs.queries import unsealed
from alliance.reconciliation.model import Reconciliation
from alliance.reconciliation.queries import last_finished
from alliance.webhooks.queries import Standing, standing
from domain.events.model import QueueState
from domain.events.queries import last_runs, queue_state
from domain.members.numbers import Filled, filled, owners
from domain.reads.queries import alerts_since
from server.metrics import MEDIA_TYPE, EngineCollector
from server.migrate import is_current
from workers import telemetry
from workers.process import Page, Parts

READY_SECONDS = 2.0

log = structlog.get_logger()


def page_at(host: str, port: int, role: str) -> Page:
    """The page of a role, at this address. Raises OSError if that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)

    async def serve(stop: asyncio.Event, parts: Parts) -> None:
        if parts.engine is not None:
            telemetry.REGISTRY.register(EngineCollector(parts.engine))
        standing = _Standing(role, parts)
        routes = [Route("/healthz", _healthz), Route("/readyz", standing.ready), Route("/metrics", standing.metrics)]
        server = _Server(uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        log.info("figures are shown", address=f"http://{host}:{port}/metrics")
        await stop.wait()
        server.should_exit = True
        await serving

    return serve


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has its own way to stop."""
        yield


async def _healthz(_: Request) -> Response:
    """Alive: the event loop answers."""
    return JSONResponse({"alive": True})


class _Standing:
    """How a process and what it depends on are."""

    def __init__(self, role: str, parts: Parts) -> None:
        self._role = role
        self._parts = parts
        self._table = _TableCollector()
        telemetry.REGISTRY.register(self._table)

    async def ready(self, _: Request) -> Response:
        """GET /readyz: 200, or 503 and what is missing."""
        missing: dict[str, Any] = {}
        try:
            async with asyncio.timeout(READY_SECONDS):
                if not await is_current(self._parts.database.engine):
                    missing["database"] = "lacks migrations"
        except Exception:
            missing["database"] = "unreachable"
        if self._parts.broker is not None:
            try:
                await asyncio.to_thread(self._parts.broker.client.ping)
            except Exception:
                missing["broker"] = "unreachable"
        return JSONResponse({"ready": not missing, "role": self._role} | missing, 503 if missing else 200)

    async def metrics(self, _: Request) -> Response:
        """GET /metrics: those of the process, and what the role's tables hold."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._look()
        except Exception as error:  # figures of the process are worth more than none
            log.warning("the tables cannot be read for /metrics", reason=type(error).__name__)
            self._table.families = []
        return Response(await asyncio.to_thread(generate_latest, telemetry.REGISTRY), media_type=MEDIA_TYPE)

    async def _look(self) -> None:
        if self._role == "worker":
            async with self._parts.database.reader() as session:
                self._table.families = _of_webhooks(await standing(session))
        elif self._role == "relay":
            async with self._parts.database.reader() as session:
                self._table.families = _of_jobs(await queue_state(session))
        elif self._role == "scheduler":
            async with self._parts.database.reader() as session:
                runs = await last_runs(session)
                waiting, seconds = await unsealed(session)
                books = await last_finished(session)
                ranges = await filled(session, await owners(session))
                unusual = await alerts_since(session, datetime.now(UTC) - timedelta(days=1))
            due = GaugeMetricFamily(
                "tessera_scheduled_due_timestamp_seconds", "Last due time started.", labels=["name"]
            )
            for name, due_at in runs:
                due.add_metric([name], due_at.timestamp())
            self._table.families = [
                due,
                GaugeMetricFamily("tessera_unsealed_operations", "Not in the log yet; at most 10,000.", value=waiting),
                GaugeMetricFamily("tessera_unsealed_seconds", "How long the oldest of them waits.", value=seconds),
                *_of_books(books),
                *_of_numbers(ranges),
                GaugeMetricFamily("tessera_unusual_reads", "Hours of clients, found in a day.", value=unusual),
            ]


def _of_webhooks(now: Standing) -> list[Metric]:
    webhooks = GaugeMetricFamily("tessera_webhooks", "Webhooks, by status.", labels=["status"])
    webhooks.add_metric(["enabled"], now.enabled)
    webhooks.add_metric(["disabled"], now.disabled)
    return [
        webhooks,
        GaugeMetricFamily("tessera_webhook_pending", "Deliveries that wait.", value=now.pending),
        GaugeMetricFamily("tessera_webhook_oldest_seconds", "How long the oldest of them does.", value=now.oldest),
    ]


def _of_jobs(states: list[QueueState]) -> list[Metric]:
    labels = ["queue", "actor"]
    waiting = GaugeMetricFamily("tessera_jobs_waiting", "Jobs to be done.", labels=labels)
    failed = GaugeMetricFamily("tessera_jobs_failed_for_good", "Jobs that ran out of tries.", labels=labels)
    age = GaugeMetricFamily("tessera_jobs_oldest_due_seconds", "How long the oldest due job waits.", labels=labels)
    for state in states:
        place = [state.queue, state.actor]
        waiting.add_metric(place, state.waiting)
        failed.add_metric(place, state.failed)
        age.add_metric(place, state.seconds)
    return [waiting, failed, age]


def _of_books(last: Reconciliation | None) -> list[Metric]:
    """Without figures until the books were proved once."""
    proved = GaugeMetricFamily("tessera_books_proved_timestamp_seconds", "When the books were last proved.", labels=[])
    differing = GaugeMetricFamily("tessera_books_differences", "Figures that differed then.", labels=[])
    labels = ["what", "unit"]
    left = GaugeMetricFamily("tessera_outstanding", "What had not come back to zero then.", labels=labels)
    if last is not None and last.finished_at is not None:
        proved.add_metric([], last.finished_at.timestamp())
        differing.add_metric([], last.found)
        for one in last.outstanding:
            left.add_metric([one["what"], one["unit"]], float(one["amount"]))
    return [proved, differing, left]


def _of_numbers(ranges: list[Filled]) -> list[Metric]:
    """Of merchants that own a range."""
    size = GaugeMetricFamily("tessera_member_numbers", "Numbers in a merchant's range.", labels=["merchant"])
    left = GaugeMetricFamily("tessera_member_numbers_left", "Of these, not given out yet.", labels=["merchant"])
    for one in ranges:
        size.add_metric([one.merchant], one.size)
        left.add_metric([one.merchant], one.left)
    return [size, left]


class _TableCollector(Collector):
    """What was read of the tables for this page."""

    def __init__(self) -> None:
        self.families: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        yield from self.families
