"""A client of the feed, to be run as a process of its own: `python -m benchmarks.bulk PLAN`, JSON in and out.

It makes the whole body first, from the replay's baskets, so that while it is timed it only sends and reads.
"""

import asyncio
import itertools
import socket
import sys
import tempfile
import threading
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from server.replay.brands import feed_line, purchases_of
from server.replay.journey import read_sample

MEMBERS = "/ingest/members"


class Plan(msgspec.Struct, frozen=True):
    """`purchases` of the sample's baskets, whole (one purchase a basket), by `members` cards; or, to the `path` of
    members, so many who join."""

    host: str
    port: int
    token: str
    purchases: int
    members: int
    prefix: str = "in-bulk"
    path: str = "/ingest/purchases"


class Bulk(msgspec.Struct, frozen=True):
    """What came of it: purchases a second, the summary as the server gave it, the client's own cost a purchase."""

    rate: float
    seconds: float
    lines: float
    megabytes: float
    summary: dict[str, int]
    client_us: float


async def measure(plan: Plan) -> Bulk:
    """Run the client in another process. Raises RuntimeError if it dies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bulk", msgspec.json.encode(plan).decode(), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the feed's client failed: {err.decode()[-2000:]}")
    return msgspec.json.decode(out, type=Bulk)


def _lines(plan: Plan) -> Iterator[tuple[bytes, int]]:
    """Purchases as lines, with their number of articles. Only key and card differ from one round to the next."""
    templates = []
    for basket in read_sample():
        [purchase] = purchases_of(basket, 1)
        line = feed_line(purchase) | {"key": "KEY-HERE", "member": {"type": "CARD", "value": "CARD-HERE"}}
        del line["occurredAt"], line["store"]
        before, _, rest = msgspec.json.encode(line).partition(b"KEY-HERE")
        between, _, after = rest.partition(b"CARD-HERE")
        templates.append((before, between, after, len(purchase.lines)))
    for number, (before, between, after, articles) in zip(range(plan.purchases), itertools.cycle(templates)):
        # A step that has no divisor in common with the number of members visits them all, far from each other.
        card = number * 7919 % plan.members
        yield b"%s%s-%d%s%d%s\n" % (before, plan.prefix.encode(), number, between, card, after), articles


def _joining(plan: Plan) -> Iterator[tuple[bytes, int]]:
    """New members as lines, each with a card and a telephone of their own."""
    for number in range(plan.purchases):
        yield (
            (
                b'{"key":"%s-%d","merchant":"grocer","channel":"APP","identifiers":'
                b'[{"type":"CARD","value":"%s-%d"},{"type":"PHONE","value":"+1614%07d"}]}\n'
                % (plan.prefix.encode(), number, plan.prefix.encode(), number, number)
            ),
            0,
        )


def _run(plan: Plan) -> Bulk:
    with tempfile.TemporaryFile() as body:
        articles = 0
        for line, count in _joining(plan) if plan.path == MEMBERS else _lines(plan):
            body.write(line)
            articles += count
        size = body.tell()
        started, cpu = time.perf_counter(), time.process_time()
        summary = _send(plan, body, size)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Bulk(
        rate=plan.purchases / seconds,
        seconds=seconds,
        lines=articles / plan.purchases,
        megabytes=size / 1e6,
        summary=summary,
        client_us=cpu / plan.purchases * 1e6,
    )


def _send(plan: Plan, body: BinaryIO, size: int) -> dict[str, int]:
    """Send the body and read the results at the same time; the summary."""
    with socket.create_connection((plan.host, plan.port), timeout=600) as connection:
        connection.sendall(
            f"POST {plan.path} HTTP/1.1\r\nHost: {plan.host}\r\nAuthorization: Bearer {plan.token}\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode()
        )
        body.seek(0)
        sender = threading.Thread(target=connection.sendfile, args=(body,))
        sender.start()
        tail = b""
        while piece := connection.recv(1 << 18):
            tail = (tail + piece)[-2000:]
        sender.join()
    at = tail.rfind(b'{"summary":')
    if at < 0:
        raise RuntimeError(f"no summary; the answer ends with {tail!r}")
    summary: dict[str, int] = msgspec.json.decode(tail[at:].split(b"\n")[0])["summary"]
    return summary


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_run(msgspec.json.decode(sys.argv[1], type=Plan))))
