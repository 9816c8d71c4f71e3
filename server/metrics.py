"""What `GET /metrics` shows, in Prometheus' text format: requests, and the posting engine."""

import re
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from domain.ledger.engine import PostingEngine

PATHS = frozenset(
    {"/graphql", "/oauth/token", "/oauth/revoke", "/ingest/purchases", "/healthz", "/readyz", "/metrics", "/log/keys"}
) | {
    "/ingest/members",
    "/ingest/claims",
    "/ingest/objections",
    "/ingest/attachment",
    "/obligations.csv",
    "/journal.beancount",
    "/journal.csv",
    "/events",
    "/oauth/code",
    "/oauth/revoke",
    "/.well-known/jwks.json",
}
FILES = re.compile(r"/(?:wallets/[^/]+/(statement\.csv)|statements/\d+/[^/]+)")
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "QUERY"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


disable_created_metrics()  # type: ignore[no-untyped-call]


def path_of(path: str) -> str:
    """A path as it is counted, ids left out: strangers' are one, lest they fill the memory."""
    if path in PATHS:
        return path
    found = FILES.fullmatch(path)
    if found is None:
        return "other"
    return "/statements/{cycle}/{file}" if found[1] is None else "/wallets/{id}/statement.csv"


class Metrics:
    """The figures of this process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "tessera_http_requests", "Requests answered.", ("path", "method", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "tessera_http_request_seconds", "Time to answer.", ("path",), buckets=BUCKETS, registry=self._registry
        )

        self._attempts = Counter(
            "tessera_sign_in_attempts",
            "Attempts to sign in or to show who one is.",
            ("how", "result"),
            registry=self._registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def watch(self, engine: PostingEngine) -> None:
        """Show the figures of this engine too."""
        self._registry.register(EngineCollector(engine))

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """Count a request; methods that are not ours count as one."""
        known = path_of(path)
        key = known, method if method in METHODS else "other", status
        found = self._series.get(key)
        if found is None:  # looking labels up costs more than counting
            found = self._requests.labels(known, key[1], str(status)), self._seconds.labels(known)
            self._series[key] = found
        counter, histogram = found
        counter.inc()
        histogram.observe(seconds)

    def attempt(self, how: str, result: str) -> None:
        """Count an attempt to sign in."""
        self._attempts.labels(how, result).inc()

    async def page(self, _: Request) -> Response:
        """GET /metrics."""
        return Response(generate_latest(self._registry), media_type=MEDIA_TYPE)


class EngineCollector(Collector):
    """Reads the engine's own statistics when asked; the engine does not know of it."""

    def __init__(self, engine: PostingEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        now = self._engine.statistics
        counted = {
            "tessera_engine_batches": ("Batches written.", now.batches),
            "tessera_engine_requests": ("Requests decided.", now.requests),
            "tessera_engine_overloads": ("Requests refused because the queue was full.", now.refused_overload),
            "tessera_engine_seconds": ("Seconds spent on batches.", now.seconds),
        }
        for name, (text, value) in counted.items():
            yield CounterMetricFamily(name, text, value=value)
        yield GaugeMetricFamily("tessera_engine_queued", "Requests that wait.", value=self._engine.queued)
        yield GaugeMetricFamily(
            "tessera_engine_largest_batch", "Requests in the largest batch.", value=now.largest_batch
        )
        yield GaugeMetricFamily(
            "tessera_engine_longest_batch_seconds", "Seconds that the longest batch took.", value=now.longest
        )
