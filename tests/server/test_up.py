"""`tessera up` as a person meets it: one terminal, one screen, and nothing left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

PATIENCE = 60


class Up:
    """A running `tessera up --json` on a free port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        with (home.parent / "up.log").open("a") as log:
            self.process = psutil.Popen(
                [sys.executable, "-m", "server.cli", "up", "--json", "--home", str(home), "--port", str(self.port)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        assert line, (home.parent / "up.log").read_text()
        self.screen = json.loads(line)
        self.http = httpx.Client(base_url=self.screen["url"], timeout=PATIENCE)

    def token(self) -> str:
        shown = tessera("token", "--kind", "operator", "--json", "--home", str(self.home))
        return json.loads(shown.stdout)["token"]

    def graphql(self, query: str, token: str) -> dict:
        response = self.http.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})
        return response.json()

    def programs(self) -> dict[str, psutil.Process]:
        """What the keeper runs, by role or name."""
        (keeper,) = self.process.children()
        found = {}
        for child in keeper.children():
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                found[words[3] if "server.cli" in words else child.name()] = child
        return found

    def all_up(self) -> bool:
        return {"api", "worker", "relay", "scheduler", "postgres", "valkey-server"} <= set(self.programs())

    def end(self, number: signal.Signals) -> int:
        """Send a signal; nothing is left soon after. Returns the exit code."""
        family = [self.process, *self.process.children(recursive=True)]
        self.process.send_signal(number)
        deadline = time.monotonic() + PATIENCE
        while (left := [process for process in family if runs(process)]) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.05)
        assert left == []
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.http.close()
        family = self.process.children(recursive=True) if runs(self.process) else []
        if family:
            self.process.terminate()
        for process in psutil.wait_procs(family, timeout=PATIENCE)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def runs(process: psutil.Process) -> bool:
    try:
        # One whose threads have not all ended still holds its files, and its locks.
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def until(holds: Callable[[], bool]) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tessera(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture(autouse=True)
def only_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TESSERA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def up(home: Path) -> Iterator[Up]:
    running = Up(home)
    yield running
    running.close()


def test_everything_from_one_command_after_kill_9_and_until_ctrl_c(up: Up, home: Path) -> None:
    until(up.all_up)
    assert up.http.get("/readyz").json() == {"ready": True, "database": "ready"}
    assert "graphiql" in up.http.get("/graphql", headers={"Accept": "text/html"}).text.lower()
    assert up.graphql("{ alliance { code } }", up.token()) == {"data": {"alliance": {"code": "demo"}}}
    again = tessera("up", "--json", "--home", str(home))
    assert (again.returncode, json.loads(again.stdout)["url"]) == (0, up.screen["url"])
    assert json.loads(tessera("verify", "--json", "--home", str(home)).stdout)["balanced"]
    first = tessera("export", "--home", str(home)).stdout
    up.end(signal.SIGKILL)
    after = Up(home)
    try:
        assert tessera("export", "--home", str(home)).stdout == first
        assert after.end(signal.SIGINT) == 0
    finally:
        after.close()


def test_what_dies_comes_back(up: Up) -> None:
    until(up.all_up)
    token = up.token()
    ready = up.http.get("/readyz")
    assert ready.status_code == 200
    database = up.programs()["postgres"]
    database.kill()
    until(lambda: up.programs().get("postgres", database) != database)
    until(lambda: up.http.get("/readyz").status_code == 200)
    assert up.graphql("{ alliance { code } }", token) == {"data": {"alliance": {"code": "demo"}}}
    until(up.all_up)
    found = up.programs()
    dead = [found[name] for name in ("api", "worker", "valkey-server")]
    for process in dead:
        process.kill()
    until(lambda: up.all_up() and not set(dead) & set(up.programs().values()))
    until(lambda: answers(up))
    assert up.graphql("{ alliance { code } }", token) == {"data": {"alliance": {"code": "demo"}}}


def answers(up: Up) -> bool:
    try:
        return up.http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_port_that_is_taken_is_said_and_leaves_nothing(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = tessera("up", "--home", str(home), "--port", port)
    assert result.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
    assert not (home / "services.json").exists()


def test_the_first_screen_says_where_and_how(home: Path) -> None:
    command = [sys.executable, "-m", "server.cli", "up", "--empty", "--home", str(home), "--port", str(free_port())]
    with psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        screen = "".join(read_screen(process))
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert "/graphql" in screen
    assert "tessera token --kind operator" in screen
    assert tessera("export", "--home", str(home)).returncode == 1


def read_screen(process: psutil.Popen) -> Iterator[str]:
    """Lines up to the box's last."""
    for line in process.stdout:
        yield line
        if line.startswith("╰"):
            return
