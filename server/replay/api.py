"""The API that a replay talks to: the one that runs in this home, or one of its own."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from server.replay.client import ApiFault
from server.settings import Settings

STARTUP_SECONDS = 60
PR_SET_PDEATHSIG = 1


@asynccontextmanager
async def serving(settings: Settings, token: str) -> AsyncIterator[str]:
    """The URL of an API on the database of `settings`, that takes `token`. Raises ApiFault if none comes up."""
    running = f"http://{settings.host}:{settings.port}"
    if await _accepts(running, token):
        yield running
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = _start(settings, port)
    try:
        await _await_api(process, url, token)
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def _accepts(url: str, token: str) -> bool:
    """Whether an API is there that knows us: then it is of this home, which keeps the secret of the tokens."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            query = {"query": "{ viewer { kind } }"}
            async with session.post(f"{url}/graphql", json=query, headers=headers) as response:
                return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _start(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    said = {"TESSERA_HOME": str(settings.home), "TESSERA_DATABASE_URL": settings.database_url or ""}
    with (logs / "replay-api.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "server.cli", "api", "--host", "127.0.0.1", "--port", str(port)],
            env=os.environ | said,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_end_with_us if sys.platform == "linux" else None,
        )


def _end_with_us() -> None:
    """In the child: be told to end when the one who started it is gone, by whatever death."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def _await_api(process: subprocess.Popen[bytes], url: str, token: str) -> None:
    for _ in range(STARTUP_SECONDS * 10):
        if await _accepts(url, token):
            return
        if process.poll() is not None:
            break
        await asyncio.sleep(0.1)
    raise ApiFault("the API could not start: see logs/replay-api.log in the home")
