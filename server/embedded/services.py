"""PostgreSQL and Valkey for one machine: real servers, started when they are needed, and never left behind.

One process owns the servers of a home: it holds the lock (`home/lock`, an flock that its keeper shares, so that it
ends with the last of them) and publishes where they are (`home/services.json`). Others find them there and use them. No
process id is trusted: a lock that is held cannot be stale, and what runs in our data folder is found by its working
directory.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import orjson
import psutil

from server.embedded import postgres, valkey
from server.embedded.keeper import Program
from server.embedded.link import KeeperLink
from server.embedded.user import ServiceUser

POLL = 0.03
RUNTIME = Path("/tmp")  # noqa: S108 - a private folder is made in it; a socket's path may have 107 bytes
LOG_LIMIT = 10_000_000
NEW_SECONDS = 3600  # an unlocked folder of that age belongs to nobody

Say = Callable[[str], None]


class ServicesError(Exception):
    """The embedded servers cannot be had; the message says why."""


class Services:
    """Running servers: `database_url` and `redis_url` (None for one that was not asked for).

    `owner` is the command that started them; `ours` says whether that is this process; `api_url` is where the owner
    serves the API, if it does.
    """

    def __init__(
        self,
        home: Path,
        state: Mapping[str, Any],
        users: int,
        keeper: KeeperLink | None = None,
        programs: Mapping[str, Program] | None = None,
    ) -> None:
        self.home = home
        self.database_url: str | None = state["database_url"]
        self.redis_url: str | None = state["redis_url"]
        self.owner: str = state["owner"]
        self.api_url: str | None = state.get("api_url")
        self.keeper = keeper
        self._state = dict(state)
        self._users = users
        self._programs = dict(programs or {})

    @property
    def ours(self) -> bool:
        """Whether this process started the servers and will stop them."""
        return self.keeper is not None

    def publish_api(self, url: str) -> None:
        """Tell other commands where the API is. Only for the owner, as are the next three."""
        assert self.keeper is not None
        self.api_url = self._state["api_url"] = url
        self.keeper.publish(_state_file(self.home), self._state)

    def start(self, program: Program) -> None:
        """Have a program run beside the servers, to end with them."""
        assert self.keeper is not None
        self._programs[program.name] = program
        self.keeper.start(program)

    def restart(self, name: str) -> None:
        """Start a server or program again that has ended."""
        program = self._programs[name]
        if program.cwd is not None:
            _end_leftovers({Path(program.cwd)})
        self.start(program)

    def events(self, timeout: float) -> list[dict[str, Any]]:
        """What has happened to servers and programs, waiting at most `timeout` seconds."""
        assert self.keeper is not None
        return self.keeper.events(timeout)

    def stop(self, *, after_others: bool = False) -> None:
        """Stop the servers if they are ours, `after_others` when no other command uses them any more."""
        if self.keeper is not None:
            if after_others:
                fcntl.flock(self._users, fcntl.LOCK_EX)
            self.keeper.stop()
        os.close(self._users)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.stop(after_others=error is None)


def start_services(
    home: Path,
    *,
    owner: str = "tessera",
    with_postgres: bool = True,
    with_valkey: bool = True,
    options: Mapping[str, str] | None = None,
    say: Say = lambda _: None,
) -> Services:
    """The servers of a home: those that run already, else new ones that end with this process.

    `options` are further PostgreSQL settings. `say` is told, in words, what takes long: recovery after a crash may take
    minutes, and is waited for. Raises ServicesError.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = False
    while True:
        lock = _try_lock(home / "lock", fcntl.LOCK_EX)
        if lock is not None:
            try:
                return _Start(home, owner, say).start(lock, with_postgres, with_valkey, options or {})
            finally:
                os.close(lock)  # the keeper has it too, and keeps it
        running = _find(home)
        if running is not None:
            _require(running, with_postgres, with_valkey)
            return running
        if not told:
            say("another command is starting or stopping the embedded servers: waiting for it")
            told = True
        time.sleep(POLL)


def _find(home: Path) -> Services | None:
    """The servers that another process runs, or None while it starts or stops them."""
    users = _try_lock(home / "users", fcntl.LOCK_SH)
    if users is None:
        return None
    try:
        return Services(home, orjson.loads(_state_file(home).read_bytes()), users)
    except FileNotFoundError:
        os.close(users)
        return None


def _require(running: Services, with_postgres: bool, with_valkey: bool) -> None:
    missing = [
        name
        for name, wanted, there in (
            ("PostgreSQL", with_postgres, running.database_url),
            ("Valkey", with_valkey, running.redis_url),
        )
        if wanted and there is None
    ]
    if missing:
        running.stop()
        raise ServicesError(f"`{running.owner}` runs in {running.home} without {' and '.join(missing)}")


class _Start:
    """One start of the servers, under the lock."""

    def __init__(self, home: Path, owner: str, say: Say) -> None:
        self.home, self.owner, self.say = home, owner, say
        self.user = ServiceUser.choose()
        self.data = home / "postgres"
        self.queue = home / "valkey"
        self.logs = home / "logs"

    def start(self, lock: int, with_postgres: bool, with_valkey: bool, options: Mapping[str, str]) -> Services:
        self._clear()
        folder = self._runtime_folder()
        keeper = KeeperLink(lock, folder)
        programs: dict[str, Program] = {}
        probes: dict[str, Callable[[], str]] = {}
        try:
            if with_postgres:
                programs["postgres"] = self._postgres(folder, options)
                probes["postgres"] = lambda: postgres.readiness(folder)
            if with_valkey:
                programs["valkey"] = self._valkey(folder)
                probes["valkey"] = lambda: valkey.readiness(folder)
            for program in programs.values():
                keeper.start(program)
            self._wait(keeper, probes)
            state = {
                "owner": self.owner,
                "pid": os.getpid(),
                "database_url": postgres.url(folder) if with_postgres else None,
                "redis_url": valkey.url(folder) if with_valkey else None,
            }
            keeper.publish(_state_file(self.home), state)
        except BaseException:
            keeper.stop()
            raise
        users = os.open(self.home / "users", os.O_RDWR | os.O_CREAT, 0o600)
        return Services(self.home, state, users, keeper, programs)

    def _clear(self) -> None:
        """Put away what an owner left who was killed together with its keeper."""
        _state_file(self.home).unlink(missing_ok=True)
        _end_leftovers({self.data, self.data.with_name("postgres.new"), self.queue})
        for folder in RUNTIME.glob(f"{self._prefix()}*"):
            shutil.rmtree(folder, ignore_errors=True)
        _clear_strangers(RUNTIME)

    def _prefix(self) -> str:
        return f"tessera-{os.geteuid()}-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}-"

    def _runtime_folder(self) -> Path:
        """A private folder with a short path, for the sockets."""
        folder = Path(tempfile.mkdtemp(prefix=self._prefix(), dir=RUNTIME))
        if self.user.ids is not None:
            os.chown(folder, *self.user.ids)
        return folder

    def _postgres(self, folder: Path, options: Mapping[str, str]) -> Program:
        programs = postgres.installation()
        if not self.user.may_run(programs / "bin/postgres"):
            programs = postgres.copy_installation(folder / "programs")
        try:
            postgres.prepare(self.data, programs, self.user)
        except subprocess.CalledProcessError as error:
            raise ServicesError(f"PostgreSQL could not make {self.data}: {error.stdout.decode().strip()}") from error
        return Program(
            name="postgres",
            argv=postgres.arguments(self.data, programs, folder, self.user, options),
            stop=postgres.STOP,
            orphaned="SIGQUIT",
            cwd=str(self.data),
            user=self.user.ids,
            log=self._log("postgres"),
        )

    def _valkey(self, folder: Path) -> Program:
        program = valkey.installation()
        if not self.user.may_run(program):
            program = valkey.copy_installation(folder / "programs/valkey-server")
        if not self.queue.exists():
            self.user.make_folder(self.queue)
        return Program(
            name="valkey",
            argv=valkey.arguments(program, folder),
            stop=valkey.STOP,
            cwd=str(self.queue),
            user=self.user.ids,
            log=self._log("valkey"),
        )

    def _log(self, name: str) -> str:
        self.logs.mkdir(mode=0o700, exist_ok=True)
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return str(path)

    def _wait(self, keeper: KeeperLink, probes: dict[str, Callable[[], str]]) -> None:
        """Until all are ready, however long recovery takes, or one has stopped."""
        began = told = time.monotonic()
        while probes:
            for event in keeper.events(POLL):
                if event["event"] == "gone":
                    raise ServicesError("the process that keeps the embedded servers was killed")
                if event["event"] == "exited":
                    raise ServicesError(f"the embedded {event['name']} stopped while starting: {self._why(event)}")
            found = {name: probe() for name, probe in probes.items()}
            probes = {name: probe for name, probe in probes.items() if found[name] != "ready"}
            if probes and time.monotonic() - told > 3:
                told = time.monotonic()
                doing = {"starting": "recovering its data", "silent": "starting"}
                for name in probes:
                    self.say(f"{name} is {doing[found[name]]}: {told - began:.0f} s so far; see {self.logs}/{name}.log")

    def _why(self, event: Mapping[str, Any]) -> str:
        log = self.logs / f"{event['name']}.log"
        lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
        return event.get("reason") or "; ".join(lines) or f"exit code {event['code']}"


def _clear_strangers(runtime: Path) -> None:
    """Put away what other homes left whose keepers were killed, and that nobody may ever start again.

    A living keeper holds its folder's lock. One that is being started has a new folder.
    """
    for folder in runtime.glob(f"tessera-{os.geteuid()}-*"):
        with suppress(OSError):
            if folder.is_symlink() or time.time() - folder.stat().st_mtime < NEW_SECONDS:
                continue
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


def _end_leftovers(folders: set[Path]) -> None:
    """Kill what still runs in these data folders. Only for whoever holds the lock."""
    left = [process for process in psutil.process_iter() if _works_in(process, folders)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    while any(_works_in(process, folders) for process in left):
        time.sleep(POLL)
    # Nothing runs there now, so whatever process has the id in this file today is not PostgreSQL's.
    for folder in folders:
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, folders: set[Path]) -> bool:
    """Whether this is one of our kind of servers, in one of those folders."""
    try:
        return process.name() in {"postgres", "initdb", "valkey-server"} and Path(process.cwd()) in folders
    except (psutil.Error, OSError):
        return False


def _state_file(home: Path) -> Path:
    return home / "services.json"


def _try_lock(path: Path, kind: int) -> int | None:
    """A descriptor of the file, locked, or None if another process's lock is in the way."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
