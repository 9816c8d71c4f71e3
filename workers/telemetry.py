"""What relay and workers tell of themselves: figures for Prometheus, and spans that go on with what asked for a job."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, SpanKind, get_current_span
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from domain.events.model import Failure, HandedOut, HeldJob
from domain.events.origin import Origin, work_for

REGISTRY = CollectorRegistry()
"""The figures of this process."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

_jobs = Counter("tessera_jobs", "Attempts of jobs, by how they ended.", ("actor", "outcome"), registry=REGISTRY)
_attempts = Histogram(
    "tessera_job_attempt_seconds", "How long an attempt took.", ("actor",), buckets=_SECONDS, registry=REGISTRY
)
_unknown = Counter(
    "tessera_jobs_unknown",
    "Jobs that came to a worker which does not know their actor, and were put off.",
    ("actor",),
    registry=REGISTRY,
)
_handed_out = Counter("tessera_relay_jobs", "Jobs handed to the broker.", ("actor",), registry=REGISTRY)
_again = Counter("tessera_relay_retries", "Of these, jobs that were begun before.", ("actor",), registry=REGISTRY)
_lag = Histogram(
    "tessera_relay_lag_seconds", "How long a job was due before it was handed out.", buckets=_SECONDS, registry=REGISTRY
)

_messages = Counter(
    "tessera_messages",
    "Attempts of messages to members, by what became of them.",
    ("channel", "result"),
    registry=REGISTRY,
)
_ahead = Gauge(
    "tessera_clock_ahead_seconds",
    "How far the scheduler's clock is ahead of the database's. A minute apart, nothing is started.",
    registry=REGISTRY,
)
_deliveries = Counter(
    "tessera_webhook_attempts", "Attempts at webhook deliveries, by what came of them.", ("outcome",), registry=REGISTRY
)
_delivery = Histogram(
    "tessera_webhook_attempt_seconds", "How long an endpoint took to answer.", buckets=_SECONDS, registry=REGISTRY
)
_disabled = Counter("tessera_webhooks_given_up", "Webhooks disabled for failing.", registry=REGISTRY)

_tracer = trace.get_tracer("tessera.workers")


def handed_out(jobs: Sequence[HandedOut]) -> None:
    """Count jobs that were sent."""
    for job in jobs:
        _handed_out.labels(job.actor).inc()
        _lag.observe(job.waited.total_seconds())
        if job.attempts:
            _again.labels(job.actor).inc()


def unknown(actor: str, jobs: int) -> None:
    """Count jobs whose actor this worker does not know."""
    _unknown.labels(actor).inc(jobs)


def attempted(actor: str, done: int, failures: Sequence[Failure], seconds: float) -> None:
    """Count an attempt of some jobs together."""
    _attempts.labels(actor).observe(seconds)
    _jobs.labels(actor, "done").inc(done)
    for failure in failures:
        _jobs.labels(actor, "refused" if failure.final else "failed").inc()


def message(channel: str, result: str) -> None:
    """Count an attempt to send a message."""
    _messages.labels(channel, result).inc()


def clock_is_ahead(by: timedelta) -> None:
    """Show what the scheduler's clock was last found to be ahead of the database's by."""
    _ahead.set(by.total_seconds())


def delivered(outcome: str, seconds: float) -> None:
    """Count an attempt at a webhook delivery."""
    _deliveries.labels(outcome.lower()).inc()
    _delivery.observe(seconds)


def disabled() -> None:
    """Count a webhook that was given up."""
    _disabled.inc()


@contextmanager
def doing(actor: str, jobs: Sequence[HeldJob]) -> Iterator[None]:
    """From the block on, the task works for whoever asked for these jobs: what it logs and the jobs it adds say so.

    Its span goes on with theirs; where there are several, it is one of its own that links to theirs.
    """
    origins = list(dict.fromkeys(job.origin for job in jobs))
    contexts = [_span_of(origin) for origin in origins]
    parent = contexts[0] if len(origins) == 1 else None
    links = [] if len(origins) == 1 else [Link(get_current_span(context).get_span_context()) for context in contexts]
    attributes = {"messaging.batch.message_count": len(jobs), "tessera.attempt": max(job.attempt for job in jobs)}
    with _tracer.start_as_current_span(actor, parent, SpanKind.CONSUMER, attributes, links):
        carrier: dict[str, str] = {}
        inject(carrier)
        request_id = origins[0].request_id if len(origins) == 1 else None
        work_for(Origin(request_id, carrier.get("traceparent")))
        yield


def _span_of(origin: Origin) -> Context:
    return extract({"traceparent": origin.traceparent} if origin.traceparent else {})
