"""A light HTTP load generator, to be run as a process of its own: `python -m benchmarks.load PLAN`.

PLAN is JSON (see `Plan`); the answer is JSON on standard output (see `Load`). Each connection has one request under
way. It costs about a tenth of what the server spends on a request, and says how much (`client_us`).
"""

import asyncio
import sys
import time
from array import array
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import cast

import msgspec
import uvloop


class Plan(msgspec.Struct, frozen=True):
    """What to send. `%(n)d` in the body is the number of the request, `%(m)d` that number modulo `members`.

    A response counts as good if it is a 200 and holds `expect`. `values` is a file: its line n is `%(v)s`. With `then`,
    a second request follows each response, which has the text after `mark` in it as `%(v)s`; the two count as one.
    `keep` has every call told, with when it was sent.
    """

    host: str
    port: int
    path: str
    body: str
    expect: str
    connections: int
    seconds: float
    token: str = ""
    members: int = 1
    first: int = 0
    warm_up: float = 0.5
    values: str = ""
    then: str = ""
    mark: str = ""
    keep: bool = False


class Load(msgspec.Struct, frozen=True):
    """What came of it: good responses a second, their latencies, how many were not good and the first of those.

    `calls`, if they are kept, are when each was sent and its latency, in seconds of the machine's monotonic clock.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    requests: int
    failed: int
    failure: str
    client_us: float
    calls: list[tuple[float, float]] = []


async def measure(plan: Plan) -> Load:
    """Run the generator in another process. Raises RuntimeError if it dies, or if nothing at all succeeded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", msgspec.json.encode(plan).decode(), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator failed: {err.decode()[-2000:]}")
    load = msgspec.json.decode(out, type=Load)
    if not load.requests:
        raise RuntimeError(f"no request succeeded; {load.failed} failed, the first with {load.failure}")
    return load


class _Tally:
    """What the connections share."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.head = (
            f"POST {plan.path} HTTP/1.1\r\nHost: {plan.host}\r\nContent-Type: application/json\r\n"
            "Accept: application/graphql-response+json\r\n"
            + (f"Authorization: Bearer {plan.token}\r\n" if plan.token else "")
        ).encode()
        self.expect = plan.expect.encode()
        self.number = plan.first
        self.follow = plan.first
        self.latencies = array("d")
        self.calls: list[tuple[float, float]] = []
        self.failed = 0
        self.failure = b""
        self.counting = False
        self.running = True
        self.values = Path(plan.values).read_text().split() if plan.values else []

    def request(self) -> bytes:
        """The bytes of the next request."""
        number = self.number
        self.number += 1
        value = self.values[number % len(self.values)] if self.values else ""
        return self._bytes(self.plan.body % {"n": number, "m": number % self.plan.members, "v": value})

    def following(self, response: bytes) -> bytes:
        """The bytes of the request that follows a response; b"" where there is none, or nothing to follow."""
        _, found, rest = response.partition(self.plan.mark.encode()) if self.plan.then else (b"", b"", b"")
        value = rest.partition(b'"')[0].decode()
        self.follow += 1
        return self._bytes(self.plan.then % {"n": self.follow, "v": value}) if found else b""

    def _bytes(self, body: str) -> bytes:
        sent = body.encode()
        return b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(sent), sent)

    def count(self, response: bytes, sent: float) -> None:
        """Count a whole response."""
        if not self.counting:
            return
        if response.startswith(b"HTTP/1.1 200") and self.expect in response:
            self.latencies.append(seconds := time.perf_counter() - sent)
            if self.plan.keep:
                self.calls.append((sent, seconds))
        else:
            self.failed += 1
            self.failure = self.failure or response[:500]


class _Connection(asyncio.Protocol):
    """Sends a request, waits for the whole response, sends the next."""

    def __init__(self, tally: _Tally) -> None:
        self.tally = tally
        self.buffer = b""
        self.sent = 0.0
        self.second = False
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"a response without Content-Length: {head!r}")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        response, self.buffer = self.buffer, b""
        if not self.second and (following := self.tally.following(response)):
            self.second = True
            self.transport.write(following)
            return
        self.second = False
        self.tally.count(response, self.sent)
        if self.tally.running:
            self._next()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.tally.running:
            self.tally.failed += 1
            self.tally.failure = self.tally.failure or b"the server closed the connection"
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.tally.request())


async def _generate(plan: Plan) -> Load:
    tally = _Tally(plan)
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Connection(tally), plan.host, plan.port))[1]
        for _ in range(plan.connections)
    ]
    await asyncio.sleep(plan.warm_up)
    tally.counting = True
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(plan.seconds)
    tally.counting = tally.running = False
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    await asyncio.wait([connection.done for connection in connections], timeout=10)
    latencies = sorted(tally.latencies)
    count = len(latencies)
    return Load(
        rate=count / elapsed,
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        max_ms=latencies[-1] * 1000 if latencies else 0.0,
        requests=count,
        failed=tally.failed,
        failure=tally.failure.decode(errors="replace"),
        client_us=cpu / max(1, count + tally.failed) * 1e6,
        calls=tally.calls,
    )


def percentile(ordered: list[float], share: float) -> float:
    """The value under which `share` of them lie (nearest rank); 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.argv[1], type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_generate(wanted))))
