"""A `tessera up` in a folder of its own, whose programs one kills."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
import redis

from resolvers.viewer import Scope, Viewer
from server.access.tokens import issue_token
from server.embedded import start_services
from server.settings import Settings
from tests.patience import STILL

CLIENT = UUID(int=0xFEED)
OPERATOR = Viewer("operator", CLIENT, CLIENT, None, None, frozenset(Scope))


class House:
    """It runs from now until it is closed."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.home = home
        self.log = home.parent / "up.log"
        command = [sys.executable, "-m", "server.cli", "up", "--json", "--home", str(home), "--port", str(port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["url"]
        self.token = issue_token(Settings(home=home).secret("token"), OPERATOR)
        with start_services(home) as services:
            assert services.database_url is not None
            assert services.redis_url is not None
            self.database_url = services.database_url
            self.redis_url = services.redis_url

    def program(self, name: str) -> psutil.Process | None:
        """A program that the keeper runs, by its role or its name; `backend` is a connection of PostgreSQL's."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = process.cmdline()
                if process.parent() is not None and name in (process.name(), *words[3:4], *_backend(words)):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def kill(self, name: str) -> None:
        """kill -9, and wait until another has taken its place; `messages` are all that the broker has."""
        if name == "messages":
            self._wipe_broker()
            return
        wait_until(lambda: self.program(name) is not None)
        victim = self.program(name)
        if victim is None:
            return  # it has died of another's death
        victim.kill()
        wait_until(lambda: (now := self.program(name)) is not None and now.pid != victim.pid)

    def _wipe_broker(self) -> None:
        """Once it is back, if it was just killed."""

        def is_wiped() -> bool:
            try:
                return bool(broker.flushall())
            except redis.RedisError:
                return False

        with redis.Redis.from_url(self.redis_url) as broker:
            wait_until(is_wiped)

    def close(self) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STILL)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _backend(words: list[str]) -> list[str]:
    """PostgreSQL writes who is connected to what into the first word of a backend's command line."""
    ours = words and words[0].startswith("postgres: ") and " tessera " in words[0]
    return ["backend"] if ours else []


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + STILL
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
