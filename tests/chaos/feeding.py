"""Partners who send feeds of purchases: piece by piece, and again from the start until a feed was answered whole."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import aiohttp

from tests.chaos.house import House

PIECE = 50
"""Lines that are sent before the answers to those before have come."""


def purchases(name: str, count: int) -> list[dict[str, Any]]:
    """A feed at two brands, by thirty members of its own; those at the filling station make owed."""
    return [
        {
            "key": f"{name}-purchase-{number}",
            "merchant": "fuel" if number % 3 == 0 else "grocer",
            "currency": "GRO",
            "member": {"type": "CARD", "issuer": "grocer", "value": f"{name}-{number % 29}"},
            "channel": "STORE",
            "orderRef": f"{name}-{number}",
            "amount": {"amount": f"{number % 50 + 1}.50", "currency": "USD"},
        }
        for number in range(count)
    ]


def with_returns(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instead of every tenth purchase, one before it comes back."""
    return [_returned(lines[number - 5]) if number % 10 == 9 else line for number, line in enumerate(lines)]


def _returned(line: dict[str, Any]) -> dict[str, Any]:
    """All of it, or for some only a dollar."""
    part = {"amount": {"amount": "1.00", "currency": "USD"}} if line["merchant"] == "fuel" else {}
    place = {name: line[name] for name in ("merchant", "member", "channel")}
    return place | part | {"key": f"{line['key']}-back", "type": "RETURN", "of": line["orderRef"], "restore": True}


def body(lines: list[dict[str, Any]]) -> bytes:
    """As it is sent."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def feed(
    session: aiohttp.ClientSession,
    house: House,
    lines: list[dict[str, Any]],
    clock: datetime,
    answered: Callable[[], None],
) -> None:
    """Send it until it is answered whole."""
    while not await _fed(session, house, lines, clock, answered):  # noqa: ASYNC110 (until the API is back)
        await asyncio.sleep(0.3)


async def _fed(
    session: aiohttp.ClientSession,
    house: House,
    lines: list[dict[str, Any]],
    clock: datetime,
    answered: Callable[[], None],
) -> bool:
    """Send it once; whether all of it was answered."""
    news = asyncio.Condition()
    count = 0

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(lines), PIECE):
            yield body(lines[start : start + PIECE])
            async with news:
                await news.wait_for(lambda upto=start: count >= upto)  # type: ignore[misc]

    headers = {"Content-Type": "application/x-ndjson", "Tessera-Clock": clock.isoformat()}
    last: dict[str, Any] = {}
    try:
        async with session.post(f"{house.url}/ingest/purchases", data=pieces(), headers=headers) as response:
            async for line in response.content:
                last = json.loads(line)
                assert last.get("status") != "REFUSED", last
                count += 1
                answered()
                async with news:
                    news.notify_all()
    except (aiohttp.ClientError, ValueError):
        return False
    return "summary" in last


CLIENT_PROGRAM = """
import socket, sys
host, port, token, clock = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
connection.sendall(
    f"POST /ingest/purchases HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {token}\\r\\nTessera-Clock: {clock}\\r\\n"
    "Content-Type: application/x-ndjson\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n".encode()
)
for line in sys.stdin.buffer:  # the feed is not ended with it
    connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(line), line))
while answer := connection.recv(65536):  # until the API dies first
    sys.stdout.buffer.write(answer)
    sys.stdout.flush()
"""


def client_that_dies(house: House, lines: list[dict[str, Any]], clock: datetime) -> None:
    """A client that has sent half of a feed, and half a line, is killed when it has its first results."""
    host, port = house.url.removeprefix("http://").split(":")
    command = [sys.executable, "-c", CLIENT_PROGRAM, host, port, house.token, clock.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        half = len(lines) // 2
        with suppress(BrokenPipeError):
            client.stdin.write(body(lines[:half]) + body(lines[half:])[:50])
            client.stdin.close()
        while (line := client.stdout.readline()) and b'"EARNED"' not in line:
            pass
        client.kill()
