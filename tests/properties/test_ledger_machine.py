"""The ledger against a plain model: the same random life, every figure compared after every step (R25 to R28)."""

import asyncio
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from domain.database import Database
from domain.errors import Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted, Request
from domain.ledger.returns import Asked
from domain.ledger.verify import verify
from tests.ledger_model import END, ModelHold, ModelOperation, ModelWallets
from tests.ledger_support import (
    ISSUERS,
    NOON,
    adjust,
    capture,
    earn,
    exchange,
    expire,
    give,
    hold,
    lapse,
    members,
    pay,
    posted,
    redeem,
    release,
    reverse,
    rows,
    take_back,
)

T = TypeVar("T")
CURRENCIES = st.sampled_from(["GRO", "FUE"])
POINTS = st.integers(1, 60)
ENDLESS: dict[str, Any] = {
    "clawback": dict.fromkeys(ISSUERS.values(), "unlimited"),
    "floors": dict.fromkeys(ISSUERS),
}
DAYS = st.none() | st.integers(1, 6)


class Loop:
    """An event loop in a thread, for Hypothesis, whose machines are synchronous."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def ledger(database: Database, database_url: str) -> Iterator[tuple[Loop, PostingEngine]]:
    loop = Loop()

    async def start() -> PostingEngine:
        engine = PostingEngine(Database(database_url, pool_size=2))
        await engine.start()
        return engine

    engine = loop.run(start())
    yield loop, engine
    loop.run(engine.stop())
    loop.run(engine.database.close())
    loop.close()


def test_r25_r26_r27_r28_the_ledger_is_the_model(ledger: tuple[Loop, PostingEngine]) -> None:
    loop, engine = ledger

    class Machine(RuleBasedStateMachine):
        """Random earns, spends, holds, exchanges, expiries, reversals, repeats, on two members over a few days."""

        done = Bundle("done")
        holds = Bundle("holds")

        @initialize()
        def begin(self) -> None:
            self.now = NOON
            self.people = members(2)
            self.wallets = {person: ModelWallets() for person in self.people}
            self.calls: list[tuple[Request, Posted | Refusal]] = []

        def post(self, call: Request) -> Posted | Refusal:
            (answer,) = loop.run(engine.post_many([call]))
            self.calls.append((call, answer))
            return answer

        def agree(self, call: Request, expected: int | str, done: ModelOperation | None) -> Any:
            answer = self.post(call)
            if isinstance(answer, Refusal):
                assert type(answer).__name__ == expected
                return multiple()
            assert answer.points == expected
            return multiple() if done is None else (call.holder_id, answer.operation_id, done)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=st.integers(0, 60), days=DAYS, target=done)
        def earn(self, who: int, currency: str, points: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].earn(currency, points, self.now, expires)
            return self.agree(earn(person, points, currency, as_of=self.now, expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=POINTS, target=done)
        def redeem(self, who: int, currency: str, points: int) -> Any:
            person = self.people[who]
            expected, done = self.wallets[person].redeem(currency, points, self.now)
            return self.agree(redeem(person, points, currency, as_of=self.now), expected, done)

        @rule(who=st.integers(0, 1), points=POINTS, unit=st.integers(1, 9), least=st.integers(1, 40), target=done)
        def pay(self, who: int, points: int, unit: int, least: int) -> Any:
            person = self.people[who]
            expected, done = self.wallets[person].pay("GRO", points, unit, least, self.now)
            return self.agree(pay(person, points, unit, least, as_of=self.now), expected, done)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=POINTS, hours=st.integers(1, 99), target=holds)
        def hold(self, who: int, currency: str, points: int, hours: int) -> Any:
            person, until = self.people[who], self.now + timedelta(hours=hours)
            expected, held = self.wallets[person].hold(currency, points, self.now, until)
            answer = self.post(hold(person, points, currency, seconds=hours * 3600, as_of=self.now))
            if isinstance(answer, Refusal):
                assert type(answer).__name__ == expected
                return multiple()
            assert answer.points == expected
            return answer, held

        @rule(one=holds, points=POINTS, target=done)
        def capture(self, one: tuple[Posted, ModelHold], points: int) -> Any:
            held, model = one
            expected, done = self.wallets[held.holder_id].capture(model, points, self.now)
            return self.agree(capture(held, points, model.currency, as_of=self.now), expected, done)

        @rule(one=holds)
        def release(self, one: tuple[Posted, ModelHold]) -> None:
            held, model = one
            expected = self.wallets[held.holder_id].release(model, self.now)
            self.agree(release(held, as_of=self.now), expected, None)

        @rule(one=holds)
        def lapse(self, one: tuple[Posted, ModelHold]) -> None:
            held, model = one
            expected = self.wallets[held.holder_id].lapse(model, self.now)
            self.agree(lapse(held, as_of=self.now), expected, None)

        @rule(who=st.integers(0, 1), points=POINTS, into=POINTS, days=DAYS, target=done)
        def exchange(self, who: int, points: int, into: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].exchange("GRO", points, "FUE", into, self.now, expires)
            call = exchange(person, points, into, as_of=self.now, into_expires_at=expires)
            return self.agree(call, expected, done)

        @rule(who=st.integers(0, 1), points=POINTS, target=done)
        def give(self, who: int, points: int) -> Any:
            """R6: both members' lots are compared after every step, dates and all."""
            person, other = self.people[who], self.people[1 - who]
            expected, done = self.wallets[person].give(self.wallets[other], "GRO", points, self.now)
            return self.agree(give(person, other, points, as_of=self.now), expected, done)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=POINTS | st.integers(-60, -1), days=DAYS, target=done)
        def adjust(self, who: int, currency: str, points: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].adjust(currency, points, self.now, expires)
            return self.agree(adjust(person, points, currency, as_of=self.now, expires_at=expires), expected, done)

        @rule(one=done, endless=st.booleans())
        def reverse(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], endless: bool) -> None:
            person, operation_id, done = one
            expected = self.wallets[person].reverse(done, self.now, endless=endless)
            if done.kind == "GIFT":
                (other,) = set(self.people) - {person}
                self.agree(take_back(person, other, operation_id, as_of=self.now), expected, None)
            else:
                terms = ENDLESS if endless else {}
                self.agree(reverse(person, operation_id, as_of=self.now, **terms), expected, None)

        @rule(one=done, points=POINTS)
        def reverse_part(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], points: int) -> None:
            person, operation_id, done = one
            if done.kind not in ("EARN", "REDEEM"):
                return
            expected = self.wallets[person].reverse(done, self.now, points)
            self.agree(reverse(person, operation_id, as_of=self.now, asked=Asked(points=points)), expected, None)

        @rule(one=consumes(done))
        def forget(self, one: object) -> None:
            """Let the machine reverse others."""

        @rule(who=st.integers(0, 1), currency=CURRENCIES)
        def expire(self, who: int, currency: str) -> None:
            person = self.people[who]
            gone = self.wallets[person].expire(currency, self.now)
            answer = self.post(expire(person, currency, as_of=self.now))
            assert isinstance(answer, Posted)
            assert answer.points == gone

        @rule(hours=st.integers(1, 50))
        def wait(self, hours: int) -> None:
            self.now += timedelta(hours=hours)

        @rule(data=st.data())
        def repeat(self, data: st.DataObject) -> None:
            """R27: a repeated key changes nothing and is answered the same."""
            if not self.calls:
                return
            call, first = data.draw(st.sampled_from(self.calls))
            (again,) = loop.run(engine.post_many([replace(call)]))
            if isinstance(first, Posted):
                assert again == replace(first, duplicate=True)
            else:
                assert isinstance(again, Refusal)
                assert again.to_json() == first.to_json()

        @invariant()
        def every_figure_is_the_models(self) -> None:
            if not hasattr(self, "people"):
                return
            kept = loop.run(posted(engine.database, self.people))
            for person, wallets in self.wallets.items():
                for currency in ("GRO", "FUE"):
                    assert kept.get((person, currency), 0) == wallets.balance(currency)
                assert loop.run(_lots(engine.database, {person})) == sorted(
                    (lot.currency, lot.granted_at, lot.expires or END, lot.granted, lot.left, lot.depth, lot.held)
                    for lot in wallets.lots
                )

        def teardown(self) -> None:
            assert loop.run(_differences(engine.database)) == []

    shape = settings(max_examples=25, stateful_step_count=30)
    run_state_machine_as_test(Machine, settings=shape)


STEP = st.tuples(
    st.sampled_from(["earn", "redeem", "pay", "hold", "exchange", "give", "adjust", "expire", "again"]),
    st.integers(0, 2),
    POINTS,
    DAYS,
)


@given(life=st.lists(STEP, min_size=5, max_size=60), cuts=st.lists(st.integers(1, 9), min_size=1))
@settings(max_examples=15)
def test_r28_any_cutting_into_batches_gives_the_answers_and_books_of_one_by_one(
    ledger: tuple[Loop, PostingEngine], life: list[tuple[str, int, int, int | None]], cuts: list[int]
) -> None:
    loop, engine = ledger
    one_by_one, in_batches = _requests(life, members(3)), _requests(life, members(3))
    first = [loop.run(engine.post_many([call]))[0] for call in one_by_one]
    second: list[Posted | Refusal] = []
    start = 0
    while start < len(in_batches):
        size = cuts[start % len(cuts)]
        second += loop.run(engine.post_many(in_batches[start : start + size]))
        start += size
    assert [_shape(answer) for answer in second] == [_shape(answer) for answer in first]
    books = [loop.run(_lots(engine.database, {call.holder_id for call in calls})) for calls in (one_by_one, in_batches)]
    assert books[0] == books[1]


def _requests(life: list[tuple[str, int, int, int | None]], people: list[uuid.UUID]) -> list[Request]:
    calls: list[Request] = []
    now = NOON
    for what, who, points, days in life:
        now += timedelta(hours=5)
        person, expires = people[who], days and now + timedelta(days=days)
        match what:
            case "earn":
                calls.append(earn(person, 3 * points, as_of=now, expires_at=expires))
            case "redeem":
                calls.append(redeem(person, points, as_of=now))
            case "pay":
                calls.append(pay(person, points, 5, 10, as_of=now))
            case "hold":
                calls.append(hold(person, points, as_of=now))
            case "exchange":
                calls.append(exchange(person, points, max(1, points // 2), as_of=now, into_expires_at=expires))
            case "give":
                calls.append(give(person, people[(who + 1) % 3], points, as_of=now))
            case "adjust":
                calls.append(adjust(person, points - 20 or 1, as_of=now))
            case "expire":
                calls.append(expire(person, as_of=now))
            case "again" if calls:
                calls.append(replace(calls[points % len(calls)]))
    return calls


def _shape(answer: Posted | Refusal) -> object:
    if isinstance(answer, Refusal):
        return answer.to_json()
    return (answer.kind, answer.points, answer.duplicate, {**answer.data, "hold": None})


async def _lots(database: Database, people: set[uuid.UUID]) -> list[tuple[Any, ...]]:
    found = await rows(
        database,
        "SELECT currency, granted_at, expires_at, granted, remaining, depth, held FROM lot WHERE holder_id = ANY($1)",
        list(people),
    )
    return sorted((row[0], row[1], row[2] or END, *row[3:]) for row in found)


async def _differences(database: Database) -> list[object]:
    async with database.session() as session:
        return list((await verify(session)).differences)
