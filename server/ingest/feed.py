"""One feed, under way: read, prepare, post and answer run at the same time, each a little ahead of the next.

Memory is bounded by what the queues between them hold; a full engine stops the reading, and so the sender.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID

import msgspec
import structlog

from alliance.intake.commands import Answer, Chunk, Sender, post, prepare
from alliance.runtime import Runtime
from domain.errors import Refusal
from resolvers import ids
from server.ingest.splitter import RawLine, Splitter
from server.ingest.spool import Spool

MAX_CHUNK = 1000
"""Lines that are prepared and posted together."""
PIECES_AHEAD = 64
"""Pieces of the body (64 KiB at most) that may wait to be prepared."""

Status = Literal["EARNED", "DUPLICATE", "REFUSED"]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = structlog.get_logger()


class Error(msgspec.Struct, frozen=True, gc=False):
    """Why a line was refused. `path` is where in the line."""

    code: str
    message: str
    path: Sequence[str]


class Intake(Protocol):
    """What is done with the lines of one kind of feed."""

    statuses: ClassVar[tuple[str, ...]]

    async def prepare(self, lines: Sequence[RawLine], as_of: datetime | None) -> Any:
        """A chunk of lines, as far as that may go ahead of the chunk before; `as_of` None: each line names its time."""
        ...

    async def post(self, chunk: Any) -> Sequence[Any]:
        """The results of a prepared chunk, one a line; each has its `status`."""
        ...


class Result(msgspec.Struct, frozen=True, gc=False):
    """What became of a purchase. `key` is null where none could be read; a return's points are not positive.

    Of a return also all its `operations`, and the points `restored`. One that is refused may have booked a part before.
    Of what was done to a right (A15) also its id; its points are uses.
    """

    key: str | None
    status: Status
    operation: str | None = None
    points: int | None = None
    error: Error | None = None
    operations: Sequence[str] | msgspec.UnsetType = msgspec.UNSET
    restored: int | msgspec.UnsetType = msgspec.UNSET
    right: str | msgspec.UnsetType = msgspec.UNSET


class Feed:
    """Takes the body of one request and gives the results, in order, and the summary.

    `as_of` says what time it is; None is: the time that each line names.
    """

    def __init__(self, intake: Intake, as_of: Callable[[], datetime | None]) -> None:
        self._intake, self._as_of = intake, as_of
        self._read: asyncio.Queue[list[RawLine] | None] = asyncio.Queue(PIECES_AHEAD)
        self._prepared: asyncio.Queue[tuple[Any] | None] = asyncio.Queue(1)
        self._spool = Spool()
        self._summary = dict.fromkeys(("read", *map(str.lower, intake.statuses)), 0)
        self._cut = False

    async def run(self, receive: Receive, send: Send) -> None:
        """Until all is answered, or the client is gone; what it had sent in whole lines is posted all the same."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work(receive))
                group.create_task(self._answer(send))
        finally:
            self._spool.close()

    async def _work(self, receive: Receive) -> None:
        """Post it all, then write the last line: the summary, or why there is none."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read_lines(receive))
                group.create_task(self._prepare_chunks())
                group.create_task(self._post_chunks())
        except* Exception as faults:
            log.error("feed broken off", exc_info=faults, **self._summary)
            error = Error("UNAVAILABLE", "the feed was broken off: send what has no result again, same keys", ())
            self._spool.write(msgspec.json.encode({"error": error}) + b"\n")
        else:
            log.info("feed ended", cut=self._cut, **self._summary)
            if not self._cut:
                self._spool.write(msgspec.json.encode({"summary": self._summary}) + b"\n")
        self._spool.finish()

    async def _read_lines(self, receive: Receive) -> None:
        splitter = Splitter()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._cut = True
                break
            if lines := splitter.push(message.get("body", b"")):
                await self._read.put(lines)
            if not message.get("more_body", False):
                await self._read.put(splitter.finish())
                break
        await self._read.put(None)

    async def _prepare_chunks(self) -> None:
        """Chunks of what has been read by now: large when the sender is fast, small when it waits for its answers."""
        ended = False
        while not ended:
            lines: list[RawLine] = []
            while not ended and len(lines) < MAX_CHUNK and not (lines and self._read.empty()):
                piece = await self._read.get()
                if piece is None:
                    ended = True
                else:
                    lines += piece
            for start in range(0, len(lines), MAX_CHUNK):
                chunk = await self._intake.prepare(lines[start : start + MAX_CHUNK], self._as_of())
                await self._prepared.put((chunk,))
        await self._prepared.put(None)

    async def _post_chunks(self) -> None:
        encode = msgspec.json.Encoder().encode_lines
        while (prepared := await self._prepared.get()) is not None:
            results = await self._intake.post(*prepared)
            self._summary["read"] += len(results)
            for result in results:
                self._summary[result.status.lower()] += 1
            self._spool.write(encode(results))

    async def _answer(self, send: Send) -> None:
        async for piece in self._spool.pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Purchases:
    """Feeds of purchases, and of what else happens to points and rights."""

    statuses: ClassVar[tuple[str, ...]] = ("EARNED", "DUPLICATE", "REFUSED")

    def __init__(self, runtime: Runtime, sender: Sender) -> None:
        self._runtime, self._sender = runtime, sender

    async def prepare(self, lines: Sequence[RawLine], as_of: datetime | None) -> Chunk:
        """Checked, valued, their members known."""
        return await prepare(self._runtime, self._sender, lines, as_of)

    async def post(self, chunk: Chunk) -> list[Result]:
        """Booked."""
        return [_result(answer) for answer in await post(self._runtime, self._sender, chunk)]


def _result(answer: Answer) -> Result:
    outcome, refused = answer.outcome, answer.refused
    if isinstance(outcome, Refusal):
        return Result(answer.key, "REFUSED", error=error_of(outcome))
    operation = None
    if outcome.operation_id is not None:
        operation = ids.encode("Operation", outcome.holder_id, outcome.operation_id)
    status: Status = "REFUSED" if refused else "DUPLICATE" if outcome.duplicate else "EARNED"
    if (booked := outcome.data.get("operations")) is None:
        if (right := outcome.data.get("right")) is not None:
            told = ids.encode("Right", outcome.holder_id, UUID(right))
            return Result(answer.key, status, operation, outcome.points, right=told)
        return Result(answer.key, status, operation, outcome.points)
    operations = [ids.encode("Operation", *place) for place in booked]
    error = None if refused is None else error_of(refused)
    return Result(answer.key, status, operation, outcome.points, error, operations, outcome.data["restored"])


def error_of(refusal: Refusal) -> Error:
    """A refusal as clients of feeds see it."""
    return Error(refusal.code, refusal.message(), refusal.path)
