"""kill -9 in the middle of a feed: whoever dies, what is sent again ends in the same books as if nobody had died."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import psutil
import pytest
from sqlalchemy import text

from alliance.intake.commands import Sender, take
from alliance.runtime import Runtime
from alliance.verify import verify
from domain.database import Database
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from resolvers.viewer import Scope, Viewer
from server.access.tokens import issue_token
from server.embedded import start_services
from server.settings import Settings

PATIENCE = 60
CLIENT = UUID(int=0xFEED)
PART, PIECE = 1000, 100
"""Each death comes in the middle of a part of the feed, which is sent and answered piece by piece."""


def purchases(part: int) -> list[dict[str, Any]]:
    """A part of the feed: purchases at two brands, by a hundred members; those at the filling station make owed."""
    return [
        {
            "key": f"purchase-{number}",
            "merchant": "fuel" if number % 3 == 0 else "grocer",
            "currency": "GRO",
            "member": {"type": "CARD", "issuer": "grocer", "value": str(number % 97)},
            "channel": "STORE",
            "orderRef": f"order-{number}",
            "amount": {"amount": f"{number % 50 + 1}.50", "currency": "USD"},
        }
        for number in range(part * PART, (part + 1) * PART)
    ]


def body(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class House:
    """A `tessera up` in a folder of its own."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.log = home.parent / "up.log"
        command = [sys.executable, "-m", "server.cli", "up", "--json", "--home", str(home), "--port", str(port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["url"]
        viewer = Viewer("operator", CLIENT, CLIENT, None, None, frozenset(Scope))
        self.token = issue_token(Settings(home=home).secret("token"), viewer)
        with start_services(home) as services:
            assert services.database_url is not None
            self.database_url = services.database_url

    def program(self, name: str) -> psutil.Process | None:
        """A program that the keeper runs, by its role or its name."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = process.cmdline()
                if process.parent() is not None and name in (process.name(), *words[3:4]):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def kill(self, name: str) -> None:
        """kill -9, and wait until another has taken its place."""
        victim = self.program(name)
        assert victim is not None
        victim.kill()
        wait_until(lambda: (now := self.program(name)) is not None and now.pid != victim.pid)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name in [name for name in os.environ if name.startswith("TESSERA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TESSERA_JOB_REDELIVERY", "3")  # seconds after which what a dead worker had is done by another
    house = House(tmp_path / "home")
    yield house
    house.close()


async def send(house: House, lines: list[dict[str, Any]], halfway: Callable[[], None] | None = None) -> bool:
    """Send a part, each piece when the one before is answered; do `halfway` when half is. Whether all was answered."""
    answered = asyncio.Condition()
    count = 0

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(lines), PIECE):
            yield body(lines[start : start + PIECE])
            if halfway is not None and start < len(lines) // 2:
                async with answered:
                    await answered.wait_for(lambda upto=start + PIECE: count >= upto)  # type: ignore[misc]

    headers = {"Authorization": f"Bearer {house.token}", "Content-Type": "application/x-ndjson"}
    last: dict[str, Any] = {}
    try:
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{house.url}/ingest/purchases", data=pieces()) as response,
        ):
            async for line in response.content:
                last = json.loads(line)
                assert last.get("status") != "REFUSED", last
                count += 1
                if halfway is not None and count == len(lines) // 2:
                    await asyncio.to_thread(halfway)
                async with answered:
                    answered.notify_all()
    except aiohttp.ClientError:
        return False
    return "summary" in last


async def send_again(house: House, lines: list[dict[str, Any]]) -> None:
    """Send a part until it is answered whole."""
    for _ in range(PATIENCE):
        if await send(house, lines):
            return
        await asyncio.sleep(0.5)  # the API may not be back yet
    raise AssertionError("the feed was never answered whole")


CLIENT_PROGRAM = """
import socket, sys
host, port, token = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
connection.sendall(
    f"POST /ingest/purchases HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {token}\\r\\n"
    "Content-Type: application/x-ndjson\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n".encode()
)
for line in sys.stdin.buffer:  # the feed is not ended with it
    connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(line), line))
while True:
    sys.stdout.buffer.write(connection.recv(65536))
    sys.stdout.flush()
"""


def client_that_dies(house: House, lines: list[dict[str, Any]]) -> None:
    """A client that has sent half of a part, and half a line, is killed when it has its first results."""
    host, port = house.url.removeprefix("http://").split(":")
    command = [sys.executable, "-c", CLIENT_PROGRAM, host, port, house.token]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(body(lines[: PART // 2]) + body(lines[PART // 2 :])[:50])
        client.stdin.close()
        while b'"EARNED"' not in (line := client.stdout.readline()):
            assert line
        client.kill()


async def accrue_as_jobs(house: House, lines: list[dict[str, Any]]) -> None:
    """A part comes as jobs instead; the worker is killed when it has done some of them."""
    database = Database(house.database_url)
    sender = {"client": str(CLIENT), "subject": str(CLIENT), "merchant": None}
    jobs = [NewJob("accrue", sender | {"lines": [line]}) for line in lines]
    try:
        before = await _count(database, "operation")
        async with database.transaction() as session:
            await add_jobs(session, jobs)
        while await _count(database, "operation") == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.to_thread(house.kill, "worker")
        async with asyncio.timeout(PATIENCE):
            while await _count(database, "operation") < before + len(lines):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await database.close()


async def _count(database: Database, table: str) -> int:
    async with database.session() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def books(database: Database) -> list[list[tuple[Any, ...]]]:
    """All that the feed comes to, without what is different each time: ids and times."""
    questions = (
        """SELECT value, currency, posted FROM member_identifier JOIN account USING (holder_id)
           WHERE type = 'CARD' ORDER BY 1, 2""",
        "SELECT order_ref, kind FROM operation ORDER BY 1, 2",
        "SELECT currency, count(*), sum(granted), sum(remaining) FROM lot GROUP BY 1 ORDER BY 1",
        """SELECT debtor.code, creditor.code, kind, count(*), sum(points), sum(amount)
           FROM obligation JOIN merchant AS debtor ON debtor.id = debtor_id
           LEFT JOIN merchant AS creditor ON creditor.id = creditor_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        "SELECT key, outcome ->> 'points' FROM idempotency_key ORDER BY 1",
        "SELECT count(*) FROM membership",
    )
    async with database.session() as session:
        return [[tuple(row) for row in await session.execute(text(question))] for question in questions]


async def test_whoever_is_killed_the_feed_sent_again_ends_in_the_same_books(runtime: Runtime, house: House) -> None:
    parts = [purchases(part) for part in range(4)]
    sender = Sender(CLIENT, CLIENT, b"secret", None, may_give=False, may_reverse=False)
    for part in parts:
        await take(runtime, sender, [json.dumps(line).encode() for line in part], datetime.now(UTC))

    await asyncio.to_thread(client_that_dies, house, parts[0])
    await send_again(house, parts[0])
    assert not await send(house, parts[1], halfway=lambda: house.kill("api"))
    await send_again(house, parts[1])
    await send(house, parts[2], halfway=lambda: house.kill("postgres"))
    await send_again(house, parts[2])
    await accrue_as_jobs(house, parts[3])

    database = Database(house.database_url)
    try:
        assert await books(database) == await books(runtime.database)
        async with database.session() as session:
            assert (await verify(session)).differences == []
    finally:
        await database.close()
