"""POST /ingest/purchases over real sockets: streamed both ways, whatever the client does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from sqlalchemy import text

from alliance.runtime import Runtime
from resolvers.viewer import Scope, Viewer
from server.access.tokens import TokenVerifier, issue_token
from server.ingest import ingest_app

SECRET = b"a secret of at least thirty-two characters"
CLIENT = UUID(int=0xFEED)


@pytest.fixture
async def port(runtime: Runtime) -> AsyncIterator[int]:
    """The endpoint, served."""
    app = ingest_app(runtime, TokenVerifier(SECRET), SECRET)
    config = uvicorn.Config(app, lifespan="off", log_config=None, http="httptools")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0)
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


def token(*scopes: Scope) -> str:
    """An operator's token; with all scopes unless some are named."""
    viewer = Viewer("operator", CLIENT, CLIENT, None, None, frozenset(scopes or Scope))
    return issue_token(SECRET, viewer)


def purchase(number: int, **changes: Any) -> bytes:
    """A purchase of ten dollars at the grocer: ten points."""
    sent = {
        "key": f"purchase-{number}",
        "merchant": "grocer",
        "member": {"type": "CARD", "value": str(number % 50)},
        "channel": "STORE",
        "occurredAt": "2017-06-01T10:00:00-04:00",
        "amount": {"amount": "10.00", "currency": "USD"},
    } | changes
    return json.dumps(sent).encode() + b"\n"


class Client:
    """An HTTP/1.1 client that sends when it is told and reads when it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, *more: str, bearer: str | None = None, method: str = "POST") -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = [
            f"{method} /ingest/purchases HTTP/1.1",
            "Host: here",
            f"Authorization: Bearer {token() if bearer is None else bearer}",
            "Transfer-Encoding: chunked",
            *(more or ("Content-Type: application/x-ndjson", "Tessera-Clock: event")),
        ]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n")
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def end(self) -> None:
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def status(self) -> int:
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def lines(self) -> AsyncIterator[Any]:
        """The lines of a chunked answer."""
        rest = b""
        while size := int(await self.reader.readline(), 16):
            *whole, rest = (rest + await self.reader.readexactly(size)).split(b"\n")
            await self.reader.readline()
            for line in whole:
                yield json.loads(line)
        assert not rest

    def close(self) -> None:
        self.writer.close()


async def feed(port: int, *pieces: bytes) -> list[Any]:
    """Send all, then read all."""
    client = await Client.open(port)
    for piece in pieces:
        await client.send(piece)
    await client.end()
    assert await client.status() == 200
    answers = [line async for line in client.lines()]
    client.close()
    return answers


async def posted(runtime: Runtime) -> int:
    async with runtime.database.session() as session:
        return int(await session.scalar(text("SELECT count(*) FROM operation")) or 0)


async def test_results_come_in_order_and_a_summary_at_the_end(port: int, runtime: Runtime) -> None:
    *results, last = await feed(port, *[purchase(n) for n in range(2500)], purchase(7), b"{\n", b"\n", purchase(2500))

    assert [r["key"] for r in results[:2500]] == [f"purchase-{n}" for n in range(2500)]
    assert {(r["status"], r["points"], r["error"]) for r in results[:2500]} == {("EARNED", 10, None)}
    assert [r["status"] for r in results[2500:]] == ["DUPLICATE", "REFUSED", "EARNED"]
    assert results[2500]["operation"] == results[7]["operation"]
    assert last == {"summary": {"read": 2503, "earned": 2501, "duplicate": 1, "refused": 1}}
    assert await posted(runtime) == 2501


async def test_r23_what_became_of_a_return_is_told_whole(port: int) -> None:
    line = {"ref": "1", "quantity": "2", "amount": {"amount": "10.00", "currency": "USD"}}
    common = {"merchant": "grocer", "member": {"type": "CARD", "value": "1"}, "channel": "STORE"}
    sent = [
        common | {"key": "return-00", "orderRef": "r-1", "lines": [line]},
        common | {"key": "return-01", "type": "RETURN", "of": "r-1", "restore": False, "lines": [{"ref": "1"}]},
        common | {"key": "return-02", "type": "RETURN", "of": "r-1", "restore": False},
    ]
    stamp = {"occurredAt": "2017-06-01T10:00:00-04:00"}
    earned, back, again, summary = await feed(port, *[json.dumps(one | stamp).encode() + b"\n" for one in sent])
    assert "operations" not in earned
    assert (back["status"], back["points"], back["operations"], back["restored"]) == (
        "EARNED",
        -10,
        [back["operation"]],
        0,
    )
    assert (again["status"], again["operation"], again["error"]["code"]) == ("REFUSED", None, "ALREADY_REVERSED")
    assert summary == {"summary": {"read": 3, "earned": 2, "duplicate": 0, "refused": 1}}


async def test_an_answer_comes_while_the_feed_is_still_open(port: int) -> None:
    client = await Client.open(port)
    assert await client.status() == 200
    answers = client.lines()
    for number in range(3):
        await client.send(purchase(number))
        assert (await anext(answers))["key"] == f"purchase-{number}"
    await client.end()
    assert "summary" in await anext(answers)
    client.close()


async def test_a_client_that_sends_everything_before_it_reads_also_finishes(port: int) -> None:
    broken = b'{"key": "' + b"k" * 199 + b'", "and": "so on"}\n'
    # Some 40 MB of results: far more than sockets hold.
    *results, last = await feed(port, *[broken * 1000] * 100)

    assert len(results) == 100_000
    assert last["summary"]["refused"] == 100_000


async def test_a_line_of_ten_megabytes_is_refused_alone(port: int) -> None:
    long = b'{"key": "' + b"x" * 10_000_000 + b'"}\n'
    first, second, third, last = await feed(port, purchase(1), long, purchase(2))

    assert (first["status"], third["status"]) == ("EARNED", "EARNED")
    assert (second["key"], second["error"]["code"]) == (None, "LINE_TOO_LONG")
    assert last["summary"] == {"read": 3, "earned": 2, "duplicate": 0, "refused": 1}


async def test_every_bad_line_is_told_what_is_wrong_where(port: int, runtime: Runtime) -> None:
    def amount(value: Any) -> dict[str, Any]:
        return {"amount": {"amount": value, "currency": "USD"}}

    bad = {
        b"nonsense\n": ("MALFORMED_LINE", []),
        purchase(1, **amount("NaN")): ("INVALID_INPUT", ["amount", "amount"]),
        purchase(2).replace(b'"10.00"', b"NaN"): ("MALFORMED_LINE", []),
        purchase(3, **amount("-1.00")): ("INVALID_INPUT", ["amount", "amount"]),
        purchase(4, **amount(str(2**63))): ("INVALID_INPUT", ["amount", "amount"]),
        purchase(5, **amount(0.1)): ("INVALID_INPUT", ["amount", "amount"]),
        purchase(6, merchant="nowhere"): ("NOT_FOUND", ["merchant"]),
        purchase(7, amount=None, points=2**63): ("INVALID_INPUT", ["points"]),
        purchase(8, occurredAt=None): ("INVALID_INPUT", ["occurredAt"]),
        purchase(9, occurredAt="yesterday"): ("INVALID_INPUT", ["occurredAt"]),
        purchase(10, currency="XYZ"): ("NOT_FOUND", ["currency"]),
    }
    *results, _ = await feed(port, *bad)

    assert [(r["error"]["code"], r["error"]["path"]) for r in results] == list(bad.values())
    assert all(r["error"]["message"] for r in results)
    assert await posted(runtime) == 0


async def test_the_same_key_with_another_body_is_a_conflict(port: int) -> None:
    await feed(port, purchase(1))
    conflict, same, _ = await feed(port, purchase(1, orderRef="another"), purchase(1))

    assert conflict["error"]["code"] == "IDEMPOTENCY_CONFLICT"
    assert same["status"] == "DUPLICATE"


async def test_a_feed_cut_in_the_middle_keeps_its_whole_lines_and_can_be_sent_again(
    port: int, runtime: Runtime
) -> None:
    client = await Client.open(port)
    await client.send(b"".join(purchase(n) for n in range(30)) + purchase(30)[:40])
    assert await client.status() == 200
    async for answer in client.lines():
        if answer["key"] == "purchase-29":
            break
    client.close()

    *results, last = await feed(port, *[purchase(n) for n in range(40)])
    assert [r["status"] for r in results] == ["DUPLICATE"] * 30 + ["EARNED"] * 10
    assert last["summary"] == {"read": 40, "earned": 10, "duplicate": 30, "refused": 0}
    assert await posted(runtime) == 40


async def test_when_the_ledger_fails_there_is_no_summary(port: int, runtime: Runtime) -> None:
    await feed(port, purchase(0))
    async with runtime.database.transaction() as session:
        await session.execute(text("ALTER TABLE lot RENAME TO lot_away"))
    try:
        *results, last = await feed(port, purchase(1))
    finally:
        async with runtime.database.transaction() as session:
            await session.execute(text("ALTER TABLE lot_away RENAME TO lot"))

    assert results == []
    assert last["error"]["code"] == "UNAVAILABLE"
    assert "lot" not in json.dumps(last)
    assert (await feed(port, purchase(1)))[0]["status"] == "EARNED"


@pytest.mark.parametrize(
    ("bearer", "headers", "method", "status"),
    [
        ("", ["Content-Type: application/x-ndjson"], "POST", 401),
        ("nonsense", ["Content-Type: application/x-ndjson"], "POST", 401),
        (token(Scope.POINTS_READ), ["Content-Type: application/x-ndjson"], "POST", 403),
        (token(Scope.POINTS_EARN), ["Content-Type: application/x-ndjson", "Tessera-Clock: event"], "POST", 403),
        (token(), ["Content-Type: application/json"], "POST", 415),
        (token(), ["Content-Type: application/x-ndjson", "Tessera-Clock: noon"], "POST", 400),
        (token(), ["Content-Type: application/x-ndjson", "Tessera-Clock: 2017-01-01T00:00:00"], "POST", 400),
        (token(), ["Content-Type: application/x-ndjson"], "PUT", 405),
    ],
)
async def test_a_feed_that_is_not_taken_says_why(
    port: int, bearer: str, headers: list[str], method: str, status: int
) -> None:
    client = await Client.open(port, *headers, bearer=bearer, method=method)
    assert await client.status() == status
    error = json.loads(await client.reader.read(1000))
    with suppress(OSError):
        client.close()
    assert set(error["error"]) == {"code", "message", "path"}


async def test_a_clock_may_be_a_moment(port: int, runtime: Runtime) -> None:
    client = await Client.open(port, "Content-Type: application/x-ndjson", "Tessera-Clock: 2017-06-02T00:00:00Z")
    await client.send(purchase(1))
    await client.end()
    assert await client.status() == 200
    assert (await anext(client.lines()))["status"] == "EARNED"
    client.close()
    async with runtime.database.session() as session:
        as_of = await session.scalar(text("SELECT as_of FROM operation"))
    assert str(as_of) == "2017-06-02 00:00:00+00:00"
