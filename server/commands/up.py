"""`tessera up`: the servers, the migrations and every role, in one terminal and gone together."""

import http.client
import signal
import socket
import sys
import time
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.panel import Panel

from server.commands.common import (
    DONE,
    Home,
    Json,
    Unavailable,
    answer,
    located,
    prepare_database,
    settings_or_fail,
    start,
)
from server.commands.roles import Host, Port
from server.embedded import Services
from server.embedded.keeper import Program
from server.settings import Settings

BACKGROUND = ("relay", "worker", "scheduler")
STARTUP_SECONDS = 60
RESTART_SECONDS = 1.0  # before something that has ended is started again
# The keeper ends us all within 5 seconds: 1.5 for the roles, then it is the servers' turn.
STOP = [("SIGTERM", 1.5)]

log = structlog.get_logger()


def up(
    host: Host = None,
    port: Port = None,
    empty: Annotated[bool, typer.Option("--empty", help="Without the sample alliance.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Run everything in this terminal: database, broker, API, relay, worker and scheduler."""
    from server.logs import configure_logs

    settings = settings_or_fail()
    settings = settings.model_copy(update={"host": host or settings.host, "port": port or settings.port})
    configure_logs(settings.model_copy(update={"log_json": settings.log_json or json}), "up")
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_, _leave)
    services = start(settings, "tessera up")
    try:
        if services.ours:
            _Terminal(settings, services, json).run(empty)
        else:
            _show_other(settings, services, json)
    finally:
        services.stop()


def _leave(*_: Any) -> None:
    # Once is enough: what comes next is the order of stopping, which takes at most 5 seconds.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(DONE)


def _show_other(settings: Settings, services: Services, json: bool) -> None:
    """Somebody runs in this home already: say where."""
    if services.api_url is None:
        raise Unavailable(f"`{services.owner}` uses the servers in {settings.home}: let it end first")
    data = {"url": services.api_url, "home": str(settings.home), "already": True}
    answer(data, json, lambda console: console.print(f"Tessera is already up in {settings.home}: {services.api_url}"))


class _Terminal:
    """What one `tessera up` does from its start to its end."""

    def __init__(self, settings: Settings, services: Services, json: bool) -> None:
        self.settings = located(settings, services)
        self.own = settings
        self.services = services
        self.json = json
        self.again: dict[str, float] = {}

    def run(self, empty: bool) -> None:
        """Start all, show where it is, and keep it running until this process is told to end."""
        self._check_port()
        prepare_database(self.own, self.settings)
        if not empty:
            from server.commands.book import apply_sample

            apply_sample(self.settings)
        self.services.start(self._program("api"))
        url = self._await_api()
        for role in BACKGROUND:  # once the API is there: together they would make each other wait
            self.services.start(self._program(role))
        self.services.publish_api(url)
        data = {"url": url, "graphql": f"{url}/graphql", "home": str(self.settings.home), "already": False}
        answer(data, self.json, lambda console: self._first_screen(console, url))
        while True:
            self._keep_running()

    def _program(self, role: str) -> Program:
        listen = ["--host", self.settings.host, "--port", str(self.settings.port)] if role == "api" else []
        return Program(
            name=role,
            argv=[sys.executable, "-m", "server.cli", role, *listen, *(["--json"] if self.json else [])],
            stop=STOP,
            stage=1,
            env={
                "TESSERA_HOME": str(self.settings.home),
                "TESSERA_DATABASE_URL": self.settings.database_url or "",
                "TESSERA_REDIS_URL": self.settings.redis_url or "",
                "TESSERA_SHUTDOWN_SECONDS": "1",
            }
            | self._metrics_port(role),
        )

    def _metrics_port(self, role: str) -> dict[str, str]:
        """A port for each of the roles in the background, one after the other."""
        if self.settings.metrics_port is None or role not in BACKGROUND:
            return {}
        return {"TESSERA_METRICS_PORT": str(self.settings.metrics_port + BACKGROUND.index(role))}

    def _check_port(self) -> None:
        """Raises Unavailable if the API will not be able to listen."""
        family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.settings.host, self.settings.port))
            except OSError as error:
                where = f"{self.settings.host}:{self.settings.port}"
                raise Unavailable(f"cannot listen on {where}: {error.strerror or error} (try --port)") from error

    def _await_api(self) -> str:
        """Wait until the API answers. Raises Unavailable if it ends instead."""
        host = "127.0.0.1" if self.settings.host in {"0.0.0.0", "::"} else self.settings.host  # noqa: S104
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            for event in self.services.events(0.05):
                if event["event"] == "exited":
                    raise Unavailable(f"{event['name']} could not start (see above)")
            if _answers(host, self.settings.port):
                return f"http://{host}:{self.settings.port}"
        raise Unavailable(f"the API did not answer within {STARTUP_SECONDS} seconds")

    def _first_screen(self, console: Console, url: str) -> None:
        lines = (
            f"GraphiQL  [bold]{url}/graphql[/] in a browser",
            "Token     [bold]tessera token --kind operator[/] in another terminal,",
            '          for the header {"Authorization": "Bearer TOKEN"}',
            f"Health    {url}/readyz",
            f"Data      {self.settings.home}",
            "Stop      Ctrl-C; nothing is lost",
        )
        console.print(Panel("\n".join(lines), title="Tessera is up", expand=False))

    def _keep_running(self) -> None:
        """One turn: note what has ended, and start again what has been down for a second."""
        for event in self.services.events(0.25):
            if event["event"] == "gone":
                raise Unavailable("the process that keeps the servers was killed")
            if event["event"] == "exited":
                log.error("ended; starting it again", program=event["name"], code=event["code"])
                self.again[event["name"]] = time.monotonic() + RESTART_SECONDS
        for name in [name for name, due in self.again.items() if due <= time.monotonic()]:
            del self.again[name]
            self.services.restart(name)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
