"""The posting engine: one writer a process; whatever queued while the last batch was written is the next batch.

A batch is one transaction: lock the holders, find duplicates, load, decide one after the other, write. So a batch is
the sequence of its requests, and each succeeds or is refused on its own. A large one is two transactions at the same
time, if it falls into two halves that have nothing to do with each other.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, repeat
from uuid import UUID

import asyncpg
import structlog

from domain.database import Database
from domain.errors import IdempotencyConflict, Refusal
from domain.ledger import debts, merging, store, watching
from domain.ledger.errors import Overloaded, Unposted
from domain.ledger.funding import Funder
from domain.ledger.request import Books, Effect, Key, Law, Loader, Needs, Outcome, Posted, Recovery, Request

log = structlog.get_logger("engine")

MAX_BATCH = 1000
"""Requests a batch; each is about one holder or two, so the lock table (2,000 a batch are safe) is never the limit."""

SPLIT = 600
"""From so many requests on a batch is written as two at the same time, if its halves share nothing: while the database
writes one, the other is decided."""

FEED_SHARE = 250
"""Requests of feeds in a batch that single calls wait for: a feed slows them, but by little."""

_TRANSIENT = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)

# A writer that hangs must not keep others from its holders for ever.
_WRITER = {"lock_timeout": "15s", "idle_in_transaction_session_timeout": "60s", "jit": "off"}

Result = Outcome | Exception


@dataclass(slots=True)
class _Call:
    """A single request in the queue, and who waits for its answer."""

    request: Request
    answer: asyncio.Future[Posted]
    since: float


@dataclass(slots=True)
class _Feed:
    """Requests of a feed in the queue, answered together when the last one is: a future each would cost too much."""

    requests: Sequence[Request]
    answer: asyncio.Future[list[Result]]
    taken: int = 0
    results: list[Result] = field(default_factory=list)

    def settle(self, results: Sequence[Result]) -> None:
        """Keep the results of the requests that were taken; the last ones wake whoever waits."""
        self.results.extend(results)
        if len(self.results) == len(self.requests) and not self.answer.done():
            self.answer.set_result(self.results)


@dataclass(slots=True)
class _Part:
    """Some of a batch: requests that came together, and what is to be done with their results."""

    requests: Sequence[Request]
    settle: Callable[[Sequence[Result]], None]


@dataclass(slots=True)
class EngineStatistics:
    """What `/metrics` shows; `longest` is the batch that took most seconds, and so kept its holders locked longest."""

    batches: int = 0
    requests: int = 0
    refused_overload: int = 0
    largest_batch: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@dataclass(slots=True)
class PostingEngine:
    """Start it, post to it, stop it. `member_status` loads `{member id: Standing}`; without it all are active.

    `recovery` hears what is recovered of reversed earns later; `law` what is granted to those with a jurisdiction;
    `funder` what is spent of points that are paid for then.

    `queue_limit`: single calls that may wait. `deadline`: seconds after which a waiting call is refused.
    `patience`: seconds for which a batch is tried again while the database is away.
    """

    database: Database
    member_status: Loader | None = None
    recovery: Recovery | None = None
    law: Law | None = None
    funder: Funder | None = None
    queue_limit: int = 5000
    deadline: float = 10.0
    patience: float = 30.0
    statistics: EngineStatistics = field(default_factory=EngineStatistics)
    _singles: deque[_Call] = field(default_factory=deque)
    _feeds: deque[_Feed] = field(default_factory=deque)
    _fed: int = 0
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Condition = field(default_factory=asyncio.Condition)
    _connections: list[asyncpg.Connection | None] = field(default_factory=lambda: [None, None])
    _reader: asyncpg.Connection | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and begin to write. Raises OSError if the database is not there."""
        await self._connected()
        self._writer = asyncio.create_task(self._run(), name="posting-engine")

    async def stop(self) -> None:
        """Write and answer what is queued and in hand, then stop. Calls that come now are Overloaded."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._work.set()
            await asyncio.gather(writer, return_exceptions=True)
        for connection in (*self._connections, self._reader):
            if connection is not None:
                with contextlib.suppress(TimeoutError):  # it is given up then, and the others are closed still
                    await connection.close(timeout=5)
        self._connections, self._reader = [None, None], None

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._singles) + self._fed

    async def post(self, request: Request) -> Posted:
        """Post one request. Raises its Refusal, or Overloaded, or the fault that kept it from being written."""
        self._require_running()
        if request.dry_run:
            return await self._simulate(request)
        if len(self._singles) >= self.queue_limit:
            self.statistics.refused_overload += 1
            raise Overloaded(retry_after=1)
        loop = asyncio.get_running_loop()
        call = _Call(request, loop.create_future(), loop.time())
        self._singles.append(call)
        self._work.set()
        return await call.answer

    async def post_many(self, requests: Sequence[Request]) -> list[Outcome]:
        """Post a feed's requests, in order, waiting for room in the queue. One that fails alone is Unposted.

        Raises what makes all fail, and Overloaded from an engine that stops; what was queued by then is posted.
        """
        feeds: list[_Feed] = []
        for start in range(0, len(requests), MAX_BATCH):
            async with self._room:
                await self._room.wait_for(lambda: self._fed < 4 * MAX_BATCH)
            self._require_running()
            chunk = requests[start : start + MAX_BATCH]
            feeds.append(_Feed(chunk, asyncio.get_running_loop().create_future()))
            self._feeds.append(feeds[-1])
            self._fed += len(chunk)
            self._work.set()
        results = [result for feed in feeds for result in await feed.answer]
        return _outcomes(results)

    def _require_running(self) -> None:
        """Raises Overloaded where nobody would ever answer."""
        if self._writer is None:
            raise Overloaded(retry_after=1)

    async def _run(self) -> None:
        """Write batch after batch until told to stop. Whatever happens to one batch, the engine goes on."""
        while self._writer is not None:
            await self._work.wait()
            self._work.clear()
            while parts := self._next():
                try:
                    await self._answer(parts)
                except Exception as fault:
                    for part in parts:
                        part.settle([fault] * len(part.requests))
                async with self._room:
                    self._room.notify_all()

    def _next(self) -> list[_Part]:
        """The next batch: single calls first, feeds fill it, and neither starves the other."""
        calls: list[_Call] = []
        late = asyncio.get_running_loop().time() - self.deadline
        while self._singles and len(calls) < MAX_BATCH - (FEED_SHARE if self._feeds else 0):
            call = self._singles.popleft()
            if call.answer.done():
                continue
            if call.since < late:
                self.statistics.refused_overload += 1
                call.answer.set_exception(Overloaded(retry_after=2))
                continue
            calls.append(call)
        parts = [_Part([call.request for call in calls], partial(_settle, calls))] if calls else []
        room = FEED_SHARE if calls else MAX_BATCH
        while self._feeds and room:
            feed = self._feeds[0]
            taken = feed.requests[feed.taken : feed.taken + room]
            feed.taken += len(taken)
            self._fed -= len(taken)
            room -= len(taken)
            parts.append(_Part(taken, feed.settle))
            if feed.taken == len(feed.requests):
                self._feeds.popleft()
        return parts

    async def _answer(self, parts: list[_Part]) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        requests = [request for part in parts for request in part.requests]
        results = iter(await self._post_all(requests))
        self.statistics.batches += 1
        self.statistics.requests += len(requests)
        self.statistics.largest_batch = max(self.statistics.largest_batch, len(requests))
        seconds = loop.time() - started
        self.statistics.seconds += seconds
        self.statistics.longest = max(self.statistics.longest, seconds)
        for part in parts:
            part.settle(list(islice(results, len(part.requests))))

    async def _post_all(self, requests: list[Request]) -> Sequence[Result]:
        """Post a batch; in two halves, each with its connection, if it is large and they are independent."""
        halves = _halves(requests) if len(requests) >= SPLIT else None
        if halves is None:
            return await self._post_surely(requests)
        posting = [self._post_surely(list(half.values()), lane, needs) for lane, (half, needs) in enumerate(halves)]
        results: dict[int, Result] = {}
        for (half, _), posted in zip(halves, await asyncio.gather(*posting, return_exceptions=True), strict=True):
            if isinstance(posted, BaseException) and not isinstance(posted, Exception):
                raise posted
            results.update(zip(half, repeat(posted) if isinstance(posted, Exception) else posted, strict=False))
        return [results[place] for place in range(len(requests))]

    async def _post_surely(
        self, requests: list[Request], lane: int = 0, needs: Needs | None = None
    ) -> Sequence[Result]:
        """Post a batch, or half of one whose needs are known, again where that can help.

        A lost connection may have committed: the batch is run again, and finds its keys in the table. What fails for
        a reason that is nobody's refusal is tried one by one, so that it fails alone.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.patience
        collisions = 0
        needs = needs or _needs(requests)
        while True:
            try:
                return await self._post(await self._connected(lane), requests, needs)
            except store.Merged as merged:
                needs.widen(merged.others)
            except _LOST:
                if (lost := self._connections[lane]) is not None:
                    lost.terminate()
                    self._connections[lane] = None
                if loop.time() > give_up or self._writer is None:
                    raise
                await asyncio.sleep(0.2)
            except Exception as fault:
                if isinstance(fault, _TRANSIENT):
                    collisions += 1
                    if collisions <= 5:
                        continue
                    if _may_pass(fault):
                        raise  # whoever holds a lock too long would be waited for once a request
                if len(requests) == 1:
                    return [fault]
                return [(await self._post_surely([request], lane))[0] for request in requests]

    async def _connected(self, lane: int = 0) -> asyncpg.Connection:
        connection = self._connections[lane]
        if connection is None or connection.is_closed():
            connection = self._connections[lane] = await self.database.connect(**_WRITER)
        return connection

    async def _post(self, connection: asyncpg.Connection, requests: list[Request], needs: Needs) -> Sequence[Result]:
        """One batch, one transaction."""
        async with connection.transaction():
            await store.lock(connection, needs.holders, needs.others)
            keys = list({request.key for request in requests if request.key is not None})
            known = await store.find_keys(connection, keys) if keys else {}
            answered: _Answered = {
                _place(key): (row["fingerprint"], partial(_recall, row)) for key, row in known.items()
            }
            books = await store.load(connection, needs, self.member_status, self.recovery, self.law, self.funder)
            before = dict(books.accounts)
            batch = store.Batch()
            results = [_decide(request, books, batch, answered) for request in requests]
            await store.write(connection, batch, books, before)
            if books.watched:
                await watching.tell(connection, books.watched)
        return results

    async def _simulate(self, request: Request) -> Posted:
        """The answer a request would get now: the same load and decision, without lock or write. Raises Refusal."""
        async with self._reading:
            books = await self._simulated([request])
        return _posted(request, _decided(request, books)[0], dry_run=True)

    async def _simulated(self, requests: Sequence[Request]) -> Books:
        if self._reader is None or self._reader.is_closed():
            self._reader = await self.database.connect(statement_timeout="10s")
        rooms = (self.member_status, self.recovery, self.law, self.funder)
        needs = _needs(requests)
        while True:
            try:
                return await store.load(self._reader, needs, *rooms, simulated=True)
            except store.Merged as merged:
                needs.widen(merged.others)

    async def foresee(self, requests: Sequence[Request]) -> list[Outcome]:
        """The answers that these dry runs would get, one after the other, each over what those before it left."""
        async with self._reading:
            books = await self._simulated(requests)
        return [_foreseen(request, books) for request in requests]


def _foreseen(request: Request, books: Books) -> Outcome:
    try:
        effect, further = _decided(request, books)
    except Refusal as refusal:
        return refusal
    for one in (effect, *further) if effect is not None else ():
        books.apply(one)
    return _posted(request, effect, dry_run=True)


_Place = tuple[UUID, UUID, str]

# What each key was answered, made anew for everyone who asks again: a caller may put its path before a refusal's. Only
# made once the fingerprint is known to be ours: the keys of other mutations lie in the same table.
_Answered = dict[_Place, tuple[bytes, Callable[[], Outcome]]]


def _outcomes(results: Sequence[Result]) -> list[Outcome]:
    """Faults as refusals; raised where nothing was answered, or it is not the request that is at fault."""
    faults = [result for result in results if not isinstance(result, Posted | Refusal)]
    for fault in faults:
        if len(faults) == len(results) or isinstance(fault, _LOST) or _may_pass(fault):
            raise fault
        log.error("not posted", exc_info=fault)
    return [result if isinstance(result, Posted | Refusal) else Unposted() for result in results]


def _may_pass(fault: Exception) -> bool:
    """Whether others are in the way, who will go."""
    return isinstance(fault, _TRANSIENT) and not isinstance(fault, asyncpg.UniqueViolationError)


def _place(key: Key) -> _Place:
    return (key.client_id, key.subject, key.value)


def _needs(requests: Collection[Request]) -> Needs:
    needs = Needs({request.holder_id for request in requests})
    for request in requests:
        request.needs(needs)
        for gate in request.gates:
            gate.needs(needs)
    return needs


def _halves(requests: Sequence[Request]) -> list[tuple[dict[int, Request], Needs]] | None:
    """The requests by place in the batch, cut by holder, and what each half needs; None unless the halves could come
    in any order."""
    halves: tuple[dict[int, Request], dict[int, Request]] = ({}, {})
    for place, request in enumerate(requests):
        halves[request.holder_id.bytes[-1] & 1][place] = request
    one, other = ({_place(r.key) for r in half.values() if r.key is not None} for half in halves)
    needs = [_needs(half.values()) for half in halves]
    if one.isdisjoint(other) and needs[0].shares_nothing(needs[1]):
        return list(zip(halves, needs, strict=True))
    return None


def _decide(request: Request, books: Books, batch: store.Batch, answered: _Answered) -> Result:
    """Decide one request over the books, and carry it out there. A bug in one request fails that one alone."""
    key = request.key
    if key is not None and (first := answered.get(_place(key))) is not None:
        fingerprint, recall = first
        return recall() if key.asks_as(fingerprint) else IdempotencyConflict(path=("idempotencyKey",))
    result: Outcome
    try:
        effect, further = _decided(request, books)
    except Refusal as refusal:
        if key is not None and refusal.remembered and request.remembers:
            batch.refuse(key, request.holder_id, refusal)
            answered[_place(key)] = (key.fingerprint, partial(Refusal.from_json, refusal.to_json()))
        return refusal
    except Exception as fault:
        return fault
    if effect is not None:
        for one in (effect, *further):
            books.apply(one)
            batch.effects.append(one)
    result = _posted(request, effect)
    if key is not None:
        batch.remember(key, result)
        answered[_place(key)] = (key.fingerprint, partial(_repeated, result))
    return result


def _decided(request: Request, books: Books) -> tuple[Effect | None, Sequence[Effect]]:
    """What a request changes, what it credits going to what was owed first; and what follows from it."""
    books.as_of, books.leaving = request.as_of, request.holder_id if request.settles else None
    books.require_going(request)
    for gate in request.gates:
        gate.require(books)
    effect = request.decide(books)
    if effect is None:
        return None, ()
    if books.law is not None:
        books.law.ride(books, effect)
    if books.funder is not None:
        books.funder.ride(books, effect)
    if books.debts:
        debts.pay(books, effect, request.as_of)
    for gate in request.gates:
        gate.passed(books, effect)
    further = request.after(books, effect) if books.operations or request.goes_on else []
    return effect, [*further, *merging.carried_on(books, request, [effect, *further])] if books.merged else further


def _posted(request: Request, effect: Effect | None, *, dry_run: bool = False) -> Posted:
    if effect is None:
        return Posted(None, request.holder_id, "NONE", 0, [])
    operation = effect.operation
    return Posted(
        None if dry_run or not effect.booked else operation["id"],
        request.holder_id,
        operation["kind"],
        effect.points,
        operation["decisions"] or [],
        data=effect.data,
        would=effect if dry_run else None,
    )


def _repeated(posted: Posted) -> Posted:
    return Posted(
        posted.operation_id, posted.holder_id, posted.kind, posted.points, posted.decisions, True, posted.data
    )


def _recall(row: asyncpg.Record) -> Outcome:
    """The answer that was stored with a key."""
    outcome = row["outcome"] or {}
    if "refusal" in outcome:
        return Refusal.from_json(outcome["refusal"])
    return Posted(
        row["operation_id"],
        row["holder_id"],
        row["kind"] or outcome.get("kind", "NONE"),
        row["points"],
        row["decisions"] or [],
        True,
        outcome.get("data", {}),
    )


def _settle(calls: Sequence[_Call], results: Sequence[Result]) -> None:
    for call, result in zip(calls, results, strict=True):
        if call.answer.done():
            continue
        if isinstance(result, Posted):
            call.answer.set_result(result)
        else:
            call.answer.set_exception(result)
