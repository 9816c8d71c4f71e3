"""The embedded servers, as real processes: found by the second, gone with the first, back after a crash."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from server.embedded import Services, ServicesError, start_services
from server.embedded.services import _clear_strangers

OWNER = """
import signal, sys, threading
from pathlib import Path
from server.embedded import start_services
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
with start_services(Path(sys.argv[1]), owner="the owner") as services:
    print(services.database_url, flush=True)
    threading.Event().wait()
"""


def alive_after(processes: list[psutil.Process], seconds: float = 60) -> list[psutil.Process]:
    """Those that still run when so much time has passed; returns at once when none does. Zombies do not run."""
    deadline = time.monotonic() + seconds
    while (left := [p for p in processes if runs(p)]) and time.monotonic() < deadline:
        psutil.wait_procs(left, timeout=0.05)
    return left


def name(process: psutil.Process) -> str:
    """What runs there; PostgreSQL has processes that soon end."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return "gone"


def runs(process: psutil.Process) -> bool:
    try:
        # One whose threads have not all ended still holds its files, and its locks.
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


class Owner:
    """Another process that has started the servers of a home."""

    def __init__(self, home: Path) -> None:
        self.process = psutil.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True)
        self.database_url = self.process.stdout.readline().strip()
        self.servers = self.process.children(recursive=True)

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and see that soon nothing is left."""
        assert {"postgres", "valkey-server"} <= set(map(name, self.servers))
        self.process.send_signal(number)
        assert alive_after([self.process, *self.servers]) == []

    def __enter__(self) -> "Owner":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.is_running():
            self.process.terminate()
        for process in alive_after([self.process, *self.servers]):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a long path: longer than the path of a socket may be."""
    return tmp_path / ("x" * 120)


@pytest.fixture
def owner(home: Path) -> Iterator[Owner]:
    with Owner(home) as owner:
        yield owner


async def count(database_url: str | None, statement: str = "") -> int:
    """Run a statement; the number of rows in table `kept`, which is made if it is not there."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE TABLE IF NOT EXISTS kept (id int); {statement}")
        return await connection.fetchval("SELECT count(*) FROM kept")
    finally:
        await connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_is_left_when_the_owner_ends(owner: Owner, number: signal.Signals, home: Path) -> None:
    owner.end(number)
    assert not (home / "services.json").exists()


def test_nothing_is_left_when_the_keeper_is_killed(owner: Owner) -> None:
    (keeper,) = owner.process.children()
    servers = [server for server in owner.servers if server != keeper]
    keeper.kill()
    assert alive_after(servers) == []


async def test_a_connected_client_does_not_keep_the_servers_running(owner: Owner) -> None:
    connection = await asyncpg.connect(owner.database_url)
    owner.end(signal.SIGTERM)
    connection.terminate()


async def test_the_second_finds_the_first(owner: Owner, home: Path) -> None:
    with start_services(home) as found:
        assert (found.ours, found.owner, found.database_url) == (False, "the owner", owner.database_url)
        assert await count(found.database_url) == 0
    assert owner.process.is_running()
    assert await count(owner.database_url) == 0


async def test_what_was_committed_is_there_after_a_kill(owner: Owner, home: Path) -> None:
    assert await count(owner.database_url, "INSERT INTO kept VALUES (1)") == 1
    for process in [owner.process, *owner.servers]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert alive_after([owner.process, *owner.servers]) == []
    with start_services(home) as services:
        assert services.ours
        assert await count(services.database_url) == 1


async def test_servers_that_outlived_their_keeper_are_ended_first(owner: Owner, home: Path) -> None:
    (keeper,) = owner.process.children()
    postmaster = next(child for child in keeper.children() if name(child) == "postgres")
    postmaster.suspend()  # so that it does not hear that its keeper is gone
    for process in (owner.process, keeper):
        process.kill()
    assert alive_after([owner.process, keeper]) == []
    with start_services(home) as services:
        assert services.ours
        assert await count(services.database_url) == 0
    assert not runs(postmaster)


def test_a_recycled_process_id_is_not_trusted(home: Path) -> None:
    with start_services(home) as services:
        assert asyncio.run(count(services.database_url, "INSERT INTO kept VALUES (1)")) == 1
        pid_file = home / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    # As after a crash and a reboot: the file is there, and its process id is that of somebody else of our user.
    with subprocess.Popen(["sleep", "60"], user=_service_user()) as somebody:
        pid_file.write_text("\n".join([str(somebody.pid), *lines[1:]]) + "\n")
        with start_services(home) as services:
            assert asyncio.run(count(services.database_url)) == 1
        assert somebody.poll() is None
        somebody.kill()


def test_no_port_is_open_and_sockets_are_private(owner: Owner) -> None:
    for server in owner.servers:
        with suppress(psutil.NoSuchProcess):  # PostgreSQL has processes that soon end
            assert [c for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert {"postgres", "valkey-server"} <= set(map(name, owner.servers))
    sockets = Path(owner.database_url.partition("host=")[2])
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(sockets / ".s.PGSQL.5432")) < 100


async def test_settings_of_postgresql(owner: Owner) -> None:
    connection = await asyncpg.connect(owner.database_url)
    names = ("max_wal_size", "max_locks_per_transaction", "jit", "listen_addresses", "fsync", "synchronous_commit")
    found = [await connection.fetchval(f"SHOW {name}") for name in names]
    buffers = await connection.fetchval("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'")
    await connection.close()
    assert found == ["8GB", "256", "off", "", "on", "on"]
    assert buffers <= min(psutil.virtual_memory().total // 4, 4 << 30)


async def test_nobody_else_need_see_the_home_or_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even `nobody`, who runs the servers if root starts them."""
    from server.embedded import postgres, valkey

    private = tmp_path / "private"
    installation = postgres.copy_installation(private)
    for tool in ("pg_isready", "pg_config"):
        (installation / "bin" / tool).symlink_to(postgres.installation() / "bin" / tool)
    program = valkey.copy_installation(private / "valkey-server")
    private.chmod(0o700)
    monkeypatch.setattr(postgres, "installation", lambda: installation)
    monkeypatch.setattr(valkey, "installation", lambda: program)
    with start_services(private / "home") as services:
        assert await count(services.database_url) == 0


def test_what_other_homes_left_is_cleared_away_and_what_lives_is_not(tmp_path: Path) -> None:
    """A home that is never started again cannot clear its own."""
    dead, living, new, other = (
        tmp_path / name
        for name in (*(f"tessera-{os.geteuid()}-{n}" for n in ("dead", "living", "new")), "tessera-nobody-x")
    )
    for folder in (dead, living, new, other):
        (folder / "programs").mkdir(parents=True)
        if folder != new:
            os.utime(folder, (0, 0))
    held = os.open(living, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    _clear_strangers(tmp_path)
    os.close(held)
    assert set(tmp_path.iterdir()) == {living, new, other}


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with pytest.raises(ServicesError, match="unrecognized configuration parameter"):
        start_services(home, options={"no_such_setting": "1"})
    with start_services(home) as services:
        assert isinstance(services, Services)


def _service_user() -> int | None:
    from server.embedded.user import ServiceUser

    ids = ServiceUser.choose().ids
    return None if ids is None else ids[0]
