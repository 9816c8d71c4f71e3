"""The roles, one by one: api, worker, relay, scheduler, and migrate."""

import signal
import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.common import DONE, Home, Json, Unavailable, answer, check_database, migrate, servers, shown
from server.settings import Settings

if TYPE_CHECKING:
    from workers.process import Page

Host = Annotated[str | None, typer.Option(help="Address to listen on [default: $TESSERA_HOST or 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on [default: $TESSERA_PORT or 8000].")]


def api(host: Host = None, port: Port = None, home: Home = None, json: Json = False) -> None:
    """Serve the API: GraphQL, feeds, tokens, health and metrics."""
    with servers("tessera api") as settings:
        listen = {"host": host or settings.host, "port": port or settings.port}
        settings = settings.model_copy(update=listen)
        _begin(settings, "api", json)
        from server.asgi import serve

        try:
            serve(settings)
        except OSError as error:
            raise Unavailable(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from error


def worker(home: Home = None, json: Json = False) -> None:
    """Do the jobs that the relay hands out."""
    with servers("tessera worker", redis=True) as settings:
        _begin(settings, "worker", json)
        from resolvers.events import told
        from server.events import cloud_event
        from server.feeds import sources_of
        from server.notifiers import notifiers_of
        from workers.actors import all_actors
        from workers.actors.retention import Kept
        from workers.worker import run_worker

        days = {"messages": settings.messages_kept, "runs": settings.runs_kept}
        kept = Kept(**{name: timedelta(days=count) for name, count in days.items()})
        known = partial(
            all_actors, notifiers=notifiers_of(settings), sources=sources_of(settings), kept=kept, write=told
        )
        run_worker(settings, _page(settings, "worker"), known, cloud_event)


def relay(home: Home = None, json: Json = False) -> None:
    """Hand jobs from their table to the broker."""
    with servers("tessera relay", redis=True) as settings:
        _begin(settings, "relay", json)
        from workers.relay import run_relay

        run_relay(settings, _page(settings, "relay"))


def scheduler(home: Home = None, json: Json = False) -> None:
    """Add the jobs that are due by the clock: expiry, the closing of cycles. One of many does it."""
    with servers("tessera scheduler") as settings:
        _begin(settings, "scheduler", json)
        from workers.scheduler import run_scheduler

        run_scheduler(settings, _page(settings, "scheduler"))


def migrate_(home: Home = None, json: Json = False) -> None:
    """Bring the database to this version's tables."""
    with servers("tessera migrate", migrated=False) as settings:
        before, after = migrate(settings)
        check_database(settings)
        data = {"database": shown(settings), "before": before, "after": after}
        answer(data, json, lambda console: console.print(f"{before or 'empty'} -> {after}"))


def _page(settings: Settings, role: str) -> "Page":
    """Where the role shows how it is. Raises Unavailable if the address cannot be had."""
    from server.page import page_at
    from workers.process import no_page

    if settings.metrics_port is None:
        return no_page
    try:
        return page_at(settings.host, settings.metrics_port, role)
    except OSError as error:
        where = f"{settings.host}:{settings.metrics_port}"
        raise Unavailable(f"cannot listen on {where}: {error.strerror or error}") from error


def _begin(settings: Settings, role: str, json: bool) -> None:
    """Set up logs, and let SIGTERM end this process in order."""
    from server.logs import configure_logs
    from server.tracing import TracingUnavailable, configure_tracing

    configure_logs(settings.model_copy(update={"log_json": settings.log_json or json}), role)
    try:
        configure_tracing(settings, role)
    except TracingUnavailable as missing:
        raise Unavailable(str(missing)) from None

    def leave(*_: Any) -> None:
        sys.exit(DONE)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
