"""Round every request: its id, its log entry, its figures, and an answer in words when something broke."""

import re
import time
from uuid import uuid4

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.events.origin import Origin, work_for
from server.metrics import Metrics, path_of
from server.tracing import ended, request_span

OUTAGES = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, DBAPIError, PoolTimeout)
RETRY_AFTER = "1"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds; nobody follows them
SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

log = structlog.get_logger()


class RequestMiddleware:
    """Plain ASGI, as it lies on the hot path. The id is the caller's `X-Request-Id` if it is sane, and is sent back."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, traced: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._traced = traced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id_ = _given_id(scope) or uuid4().hex
        scope.setdefault("state", {})["request_id"] = id_
        if self._traced and scope["path"] not in PROBES:
            with request_span(scope, path_of(scope["path"]), id_) as span:
                ended(span, await self._answer(scope, receive, send, id_))
        else:
            work_for(Origin(id_))
            await self._answer(scope, receive, send, id_)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, id_: str) -> int:
        """Let the application answer; with which status."""
        began = time.perf_counter()
        header = (b"x-request-id", id_.encode())
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as fault:
            if isinstance(fault, OUTAGES):
                log.error("request failed: a server is away", reason=type(fault).__name__)
            else:
                log.exception("request failed", path=scope["path"])
            if not status:
                await _explained(fault, id_)(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.request(scope["path"], scope["method"], status, seconds)
            log.debug("request", path=scope["path"], status=status, ms=round(seconds * 1000, 1))
        return status


def _explained(fault: Exception, request_id: str) -> Response:
    """What a client is told of a fault: that there was one, and the id under which the log has it."""
    away = isinstance(fault, OUTAGES)
    message = "the service cannot reach its database; try again" if away else "an internal error"
    error = {"message": message, "extensions": {"code": "INTERNAL", "requestId": request_id}}
    headers = {"Retry-After": RETRY_AFTER} if away else {}
    return JSONResponse({"errors": [error]}, 503 if away else 500, headers)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if SANE_ID.fullmatch(value) else None
    return None
