"""Traces, from a request through the jobs it adds to the actors that do them; sent by OTLP over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import Scope

from domain.events.origin import Origin, work_for
from server.settings import Settings

_tracer = trace.get_tracer("tessera.server")


class TracingUnavailable(Exception):
    """The packages are not installed that send traces."""


def configure_tracing(settings: Settings, role: str) -> None:
    """Send traces of this process, as its settings say. Raises TracingUnavailable."""
    if settings.otlp_endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as missing:
        raise TracingUnavailable("otlp_endpoint is set: install tessera-loyalty[otel]") from missing
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.trace_share),
        resource=Resource.create({"service.name": f"tessera-{role}"}),
    )
    exporter = OTLPSpanExporter(f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


@contextmanager
def request_span(scope: Scope, path: str, request_id: str) -> Iterator[Span]:
    """The span of a request, which goes on with the caller's; the task works for it from here on."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    attributes = {"http.request.method": scope["method"], "http.route": path, "tessera.request_id": request_id}
    with _tracer.start_as_current_span(
        f"{scope['method']} {path}", extract(headers), SpanKind.SERVER, attributes
    ) as span:
        carrier: dict[str, str] = {}
        inject(carrier)
        work_for(Origin(request_id, carrier.get("traceparent")))
        yield span


def ended(span: Span, status: int) -> None:
    """Note how a request was answered."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500 or not status:
        span.set_status(Status(StatusCode.ERROR))
