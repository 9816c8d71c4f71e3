"""The posting engine over real PostgreSQL: single calls, races, repeats, faults."""

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from domain.database import Database
from domain.errors import IdempotencyConflict, InvalidInput, NotFound, Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.errors import (
    AlreadyReversed,
    BalanceLimitExceeded,
    DuplicateOrder,
    InsufficientPoints,
    MemberNotActive,
    NotReversible,
    Overloaded,
    Unposted,
)
from domain.ledger.keys import remember
from domain.ledger.model import OperationNote
from domain.ledger.request import Books, Effect, Needs, Posted, Request
from domain.ledger.standing import Standing
from domain.money import MAX_INTEGER
from tests.ledger_support import ISSUERS, NOON, earn, exchange, expire, key, members, posted, redeem, reverse, rows

DAY = timedelta(days=1)


async def test_earn_redeem_reverse(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 100))
    spent = await engine.post(redeem(ann, 30))
    assert (spent.kind, spent.points) == ("REDEEM", 30)
    assert await posted(database, [ann]) == {(ann, "GRO"): 70}
    undone = await engine.post(reverse(ann, spent.operation_id))
    assert undone.data == {"restored": 30, "expired": 0}
    assert await posted(database, [ann]) == {(ann, "GRO"): 100}


async def test_every_entry_carries_the_balance_after_it(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 100), redeem(ann, 30), earn(ann, 5)])
    found = await rows(database, "SELECT balance_after FROM entry WHERE holder_id = $1 ORDER BY operation_id", ann)
    assert [row["balance_after"] for row in found] == [100, 70, 75]


async def test_r01_allocations_are_stored(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 50, expires_at=None))
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    await engine.post(redeem(ann, 60))
    found = await rows(
        database,
        """SELECT l.expires_at IS NULL AS forever, a.amount FROM allocation a
           JOIN lot l ON (l.holder_id, l.id) = (a.holder_id, a.lot_id) WHERE a.holder_id = $1 ORDER BY 1""",
        ann,
    )
    assert [tuple(row) for row in found] == [(False, -50), (True, -10)]


async def test_r02_an_expired_lot_is_not_spent_before_the_job_has_run(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 50, expires_at=NOON + DAY))
    with pytest.raises(InsufficientPoints) as refusal:
        await engine.post(redeem(ann, 1, as_of=NOON + DAY, occurred_at=NOON))
    assert refusal.value.data == {"available": 0, "requested": 1}


async def test_expiry_goes_to_the_issuers_breakage_once(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 50, expires_at=NOON + DAY), earn(ann, 20), redeem(ann, 10)])
    gone = await engine.post(expire(ann, as_of=NOON + DAY))
    assert (gone.kind, gone.points) == ("EXPIRE", 40)
    again = await engine.post(expire(ann, as_of=NOON + DAY))
    assert (again.operation_id, again.points) == (None, 0)
    found = await rows(database, "SELECT counter_holder_id, amount FROM entry WHERE counter_account = 'BREAKAGE'")
    assert [tuple(row) for row in found] == [(ISSUERS["GRO"], -40)]


async def test_r12_the_same_order_under_two_keys(engine: PostingEngine) -> None:
    ann, bob = members(2)
    twice = [earn(ann, 5, order_ref="o-1"), earn(ann, 5, order_ref="o-1")]
    assert all(isinstance(answer, Posted) for answer in await engine.post_many(twice))
    first = await engine.post(earn(ann, 5, order_ref="o-2", unique_order=True))
    for other in (ann, bob):
        with pytest.raises(DuplicateOrder) as refusal:
            await engine.post(earn(other, 5, order_ref="o-2", unique_order=True))
        assert refusal.value.data["operation"] == str(first.operation_id)


async def test_r16_of_twenty_simultaneous_debits_one_succeeds(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(4)]
    for engine in engines:
        await engine.start()
    (ann,) = members(1)
    await engines[0].post(earn(ann, 100))
    answers = await asyncio.gather(*(engines[n % 4].post(redeem(ann, 100)) for n in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, Posted) for answer in answers) == 1
    assert sum(isinstance(answer, InsufficientPoints) for answer in answers) == 19
    for engine in engines:
        await engine.stop()
    assert await posted(database, [ann]) == {(ann, "GRO"): 0}


async def test_r19_r20_points_come_back_to_the_very_lots(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post_many([earn(ann, 30, expires_at=NOON + DAY), earn(ann, 30)])
    spent = await engine.post(redeem(ann, 40))
    undone = await engine.post(reverse(ann, spent.operation_id, as_of=NOON + 2 * DAY))
    assert undone.data == {"restored": 40, "expired": 30}
    found = await rows(database, "SELECT expires_at, remaining FROM lot WHERE holder_id = $1 ORDER BY id", ann)
    assert [tuple(row) for row in found] == [(NOON + DAY, 30), (None, 30)]
    with pytest.raises(InsufficientPoints):
        await engine.post(redeem(ann, 31, as_of=NOON + 2 * DAY))


async def test_r22_a_second_reversal_and_one_of_a_reversal_are_refused_by_name(engine: PostingEngine) -> None:
    (ann,) = members(1)
    granted = await engine.post(earn(ann, 10))
    answers = await asyncio.gather(
        *(engine.post(reverse(ann, granted.operation_id)) for _ in range(20)), return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, Posted)]
    assert len(done) == 1
    refused = [answer for answer in answers if isinstance(answer, AlreadyReversed)]
    assert {refusal.data["operation"] for refusal in refused} == {str(done[0].operation_id)}
    assert len(refused) == 19
    with pytest.raises(NotReversible):
        await engine.post(reverse(ann, done[0].operation_id))


async def test_a_reversed_exchange_takes_back_what_it_gave(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 400))
    first = await engine.post(exchange(ann, 100, 80))
    second = await engine.post(exchange(ann, 100, 80))
    await engine.post(reverse(ann, first.operation_id))
    assert await posted(database, [ann]) == {(ann, "GRO"): 300, (ann, "FUE"): 80}
    await engine.post(redeem(ann, 1, "FUE"))
    with pytest.raises(InsufficientPoints):
        await engine.post(reverse(ann, second.operation_id))


async def test_nothing_is_exchanged_into_points_that_are_dead_at_birth(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, 100))
    with pytest.raises(InvalidInput):
        await engine.post(exchange(ann, 100, 80, into_expires_at=NOON))
    assert await posted(database, [ann]) == {(ann, "GRO"): 100}


async def test_r27_same_key_same_answer(engine: PostingEngine) -> None:
    (ann,) = members(1)
    call = earn(ann, 10, key=key("again-and-again"), decisions=[{"rule": "base", "version": 1, "points": 10}])
    first = await engine.post(call)
    again = await engine.post(replace(call))
    assert again == replace(first, duplicate=True)
    with pytest.raises(IdempotencyConflict):
        await engine.post(replace(call, key=key("again-and-again", b"other")))


async def test_r27_refusals_of_the_domain_are_remembered_and_others_are_not(engine: PostingEngine) -> None:
    (ann,) = members(1)
    call = redeem(ann, 10, key=key("too-much"))
    missing = reverse(ann, uuid.uuid4(), key=key("not-there"))
    for _ in range(2):
        with pytest.raises(InsufficientPoints):
            await engine.post(replace(call))
        with pytest.raises(NotFound):
            await engine.post(replace(missing))
        await engine.post(earn(ann, 50))
    found = await rows(engine.database, "SELECT key FROM idempotency_key WHERE key IN ('too-much', 'not-there')")
    assert [row["key"] for row in found] == ["too-much"]


async def test_r27_a_repeat_within_a_batch(engine: PostingEngine) -> None:
    (ann,) = members(1)
    call = earn(ann, 10, key=key("twice-in-one"))
    first, again, other = await engine.post_many([call, replace(call), replace(call, key=key("twice-in-one", b"x"))])
    assert isinstance(first, Posted)
    assert again == replace(first, duplicate=True)
    assert isinstance(other, IdempotencyConflict)


async def test_r10_a_dry_run_gives_the_same_answer_and_writes_nothing(
    engine: PostingEngine, database: Database
) -> None:
    (ann,) = members(1)
    call = earn(ann, 10)
    dry = await engine.post(replace(call, dry_run=True))
    assert (dry.operation_id, dry.points) == (None, 10)
    assert await posted(database, [ann]) == {}
    assert await rows(database, "SELECT 1 FROM idempotency_key") == []
    real = await engine.post(call)
    assert dry.would is not None
    assert replace(real, operation_id=None) == replace(dry, would=None)


async def test_a_frozen_member_moves_nothing(database: Database) -> None:
    class Statuses:
        shared_lock = None

        async def load(self, connection: asyncpg.Connection, keys: list[uuid.UUID]) -> dict[uuid.UUID, Standing]:
            return {ann: Standing("FROZEN"), bob: Standing("FROZEN", until=NOON)}

    ann, bob, nobody = members(3)
    engine = PostingEngine(database, Statuses())
    await engine.start()
    with pytest.raises(MemberNotActive):
        await engine.post(earn(ann, 1))
    before, after = await engine.post_many([earn(bob, 1, as_of=NOON - DAY), earn(bob, 1)])
    assert (type(before), type(after)) == (MemberNotActive, Posted)
    with pytest.raises(NotFound):
        await engine.post(earn(nobody, 1))
    await engine.stop()


async def test_no_balance_passes_what_clients_can_read(engine: PostingEngine) -> None:
    (ann,) = members(1)
    await engine.post(earn(ann, MAX_INTEGER))
    with pytest.raises(BalanceLimitExceeded):
        await engine.post(earn(ann, 1))


async def test_a_full_queue_is_refused_with_a_time_to_retry(database: Database) -> None:
    engine = PostingEngine(database, queue_limit=5)
    await engine.start()
    (ann,) = members(1)
    answers = await asyncio.gather(*(engine.post(earn(ann, 1)) for _ in range(20)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert len(refused) == 15
    assert refused[0].retry_after > 0
    await engine.stop()
    assert await posted(database, [ann]) == {(ann, "GRO"): 5}


async def test_one_request_that_breaks_does_not_break_its_batch(engine: PostingEngine) -> None:
    ann, bob = members(2)
    broken = earn(ann, 5, channel=object())
    answers = await asyncio.gather(
        engine.post(earn(bob, 5)), engine.post(broken), engine.post(earn(ann, 7)), return_exceptions=True
    )
    assert isinstance(answers[0], Posted)
    assert isinstance(answers[2], Posted)
    assert not isinstance(answers[1], Posted | Refusal)


async def test_one_request_of_a_feed_that_breaks_does_not_break_the_feed(
    engine: PostingEngine, database: Database
) -> None:
    ann, bob = members(2)
    broken = earn(ann, 5, channel=object())
    answers = await engine.post_many([earn(bob, 5), broken, earn(ann, 7)])
    assert [type(answer) for answer in answers] == [Posted, Unposted, Posted]
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 7, (bob, "GRO"): 5}
    mended = replace(broken, channel=None)
    assert isinstance(await engine.post(mended), Posted)


async def test_r27_a_connection_lost_after_commit_posts_once(
    engine: PostingEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = members(1)

    real = PostingEngine._post

    async def post_and_lose(
        self: PostingEngine, connection: asyncpg.Connection, requests: list[Request], needs: Needs
    ) -> object:
        await real(self, connection, requests, needs)
        monkeypatch.setattr(PostingEngine, "_post", real)
        raise asyncpg.ConnectionDoesNotExistError("gone after commit")

    monkeypatch.setattr(PostingEngine, "_post", post_and_lose)
    answer = await engine.post(earn(ann, 10))
    assert answer.duplicate
    assert await posted(database, [ann]) == {(ann, "GRO"): 10}


async def test_r28_a_reversal_right_after_an_expiry_asks_no_other_lot(
    engine: PostingEngine, database: Database
) -> None:
    """The points that expired are gone already, whether the expiry was posted before or in the very same batch."""
    ann, bob = members(2)
    for member in (ann, bob):
        granted = await engine.post(earn(member, 50, expires_at=NOON + DAY))
        await engine.post(earn(member, 20))
        late = [expire(member, as_of=NOON + DAY), reverse(member, granted.operation_id, as_of=NOON + DAY)]
        if member == ann:
            await engine.post_many(late)
        else:
            for request in late:
                await engine.post(request)
    assert await posted(database, [ann, bob]) == {(ann, "GRO"): 20, (bob, "GRO"): 20}


async def test_r27_the_key_of_another_mutation_is_a_conflict(engine: PostingEngine, database: Database) -> None:
    (ann,) = members(1)
    used = key("one-of-a-quote", b"quote")
    async with database.transaction() as session:
        await remember(session, used, ann, {"quote": str(uuid.uuid4())})
    with pytest.raises(IdempotencyConflict):
        await engine.post(earn(ann, 10, key=key("one-of-a-quote", b"earn")))


async def test_r27_a_refusal_repeated_within_a_batch_is_an_object_of_its_own(engine: PostingEngine) -> None:
    """Each caller puts its own path before it."""
    (ann,) = members(1)
    call = redeem(ann, 10, key=key("refused-twice"))
    first, again = await engine.post_many([call, replace(call)])
    assert isinstance(first, InsufficientPoints)
    assert isinstance(again, InsufficientPoints)
    assert first.at("inputs", "0").path == ("inputs", "0", "points")
    assert again.at("inputs", "1").path == ("inputs", "1", "points")


async def test_one_request_that_can_never_be_written_does_not_take_its_batch_along(engine: PostingEngine) -> None:
    class Twice:
        """Wants a row of which the table takes only one."""

        def needs(self, needs: Needs) -> None:
            pass

        def ride(self, books: Books, effect: Effect) -> None:
            row = {"holder_id": ann, "operation_id": ann, "note": "mine"}
            effect.rows += [(OperationNote.__table__, row)] * 2  # type: ignore[list-item]

    ann, bob = members(2)
    answers = await asyncio.gather(
        engine.post(earn(bob, 5)),
        engine.post(earn(ann, 5, riders=(Twice(),))),
        engine.post(earn(ann, 7)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Posted, asyncpg.UniqueViolationError, Posted]


async def test_a_server_that_has_no_connection_left_is_waited_for(
    engine: PostingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Database.connect

    async def full(self: Database, **settings: str) -> asyncpg.Connection:
        monkeypatch.setattr(Database, "connect", real)
        raise asyncpg.TooManyConnectionsError("sorry, too many clients already")

    monkeypatch.setattr(Database, "connect", full)
    assert engine._connections[0] is not None
    engine._connections[0].terminate()
    (ann,) = members(1)
    assert (await engine.post(earn(ann, 10))).points == 10


async def test_an_engine_that_stops_answers_what_it_has_in_hand(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = PostingEngine(database)
    await engine.start()
    (ann,) = members(1)
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = PostingEngine._post

    async def post_slowly(
        self: PostingEngine, connection: asyncpg.Connection, requests: list[Request], needs: Needs
    ) -> object:
        begun.set()
        await go_on.wait()
        return await real(self, connection, requests, needs)

    monkeypatch.setattr(PostingEngine, "_post", post_slowly)
    answer = asyncio.create_task(engine.post(earn(ann, 10)))
    await begun.wait()
    stopped = asyncio.create_task(engine.stop())
    await asyncio.wait([stopped], timeout=0.1)
    go_on.set()
    await stopped
    assert (await asyncio.wait_for(answer, 60)).points == 10
    assert await posted(database, [ann]) == {(ann, "GRO"): 10}


async def test_an_engine_that_has_stopped_takes_nothing(database: Database) -> None:
    (ann,) = members(1)
    engine = PostingEngine(database)
    await engine.start()
    await engine.stop()
    with pytest.raises(Overloaded):
        await asyncio.wait_for(engine.post(earn(ann, 10)), 60)
    with pytest.raises(Overloaded):
        await asyncio.wait_for(engine.post_many([earn(ann, 10)]), 60)


async def test_connections_that_do_not_close_in_time_are_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(self: asyncpg.Connection, **_: float) -> None:
        self.terminate()
        raise TimeoutError

    engine = PostingEngine(database)
    await engine.start()
    monkeypatch.setattr(asyncpg.Connection, "close", too_late)
    await engine.stop()
    assert engine._connections == [None, None]


async def test_r28_engines_in_parallel_neither_deadlock_nor_lose_an_update(database: Database) -> None:
    engines = [PostingEngine(database) for _ in range(3)]
    for engine in engines:
        await engine.start()
    crowd = members(40)
    feeds = [[earn(crowd[(n * step) % 40], 1) for n in range(400)] for step in (1, 7, 13)]
    await asyncio.gather(*(engine.post_many(feed) for engine, feed in zip(engines, feeds, strict=True)))
    for engine in engines:
        await engine.stop()
    assert sum((await posted(database, crowd)).values()) == 1200
