"""The ledger against a plain model: the same random life, every figure compared after every step (R25 to R28)."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
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

from domain.errors import Refusal
from domain.ledger.commands import Grant
from domain.ledger.engine import PostingEngine
from domain.ledger.model import OperationKind
from domain.ledger.request import Posted, Request
from domain.ledger.returns import Asked
from tests.ledger_model import END, ModelHold, ModelOperation, ModelWallets
from tests.ledger_support import (
    NOON,
    activate,
    adjust,
    capture,
    earn,
    exchange,
    exit_,
    expire,
    extend,
    follow_exit,
    give,
    grant,
    hold,
    lapse,
    members,
    opening,
    pay,
    posted,
    redeem,
    refund,
    reinstate,
    reject,
    release,
    reverse,
    reverse_exit,
    reverse_top_up,
    take_back,
    top_up,
    waiting,
)
from tests.properties.support import ENDLESS, Loop, differences, lots_of

CURRENCIES = st.sampled_from(["GRO", "FUE"])
SPENT = st.sampled_from(["GRO", "FUE", "VAL"])
POINTS = st.integers(1, 60)
SOLD = {"GRO": "VAL"}
DAYS = st.none() | st.integers(1, 6)


@pytest.mark.parametrize("lives", [14, pytest.param(200, marks=pytest.mark.long)])
def test_r25_r26_r27_r28_the_ledger_is_the_model(ledger: tuple[Loop, PostingEngine], lives: int) -> None:
    loop, engine = ledger

    class Machine(RuleBasedStateMachine):
        """Random earns, spends, holds, exchanges, expiries, reversals, repeats, on two members over a few days."""

        done = Bundle("done")
        waits = Bundle("waits")
        holds = Bundle("holds")
        expired = Bundle("expired")

        @initialize()
        def begin(self) -> None:
            self.now = NOON
            self.people = members(2)
            (self.pooled,) = members(1)
            self.wallets = {holder: ModelWallets() for holder in (*self.people, self.pooled)}
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

        @rule(who=st.integers(0, 1), points=st.integers(0, 60), beside=POINTS, days=DAYS, target=done)
        def earn_two(self, who: int, points: int, beside: int, days: int | None) -> Any:
            """R11: one purchase grants points of two kinds, in one operation."""
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].earn("GRO", points, self.now, expires, ("FUE", beside))
            grants = (Grant("FUE", beside, expires),)
            return self.agree(earn(person, points, beside=grants, as_of=self.now, expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), points=POINTS, age=st.integers(0, 6), days=DAYS, target=done)
        def opening(self, who: int, points: int, age: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            granted = self.now - timedelta(days=age)
            expected, done = self.wallets[person].opening("GRO", points, granted, self.now, expires)
            call = opening(person, points, granted, as_of=self.now, expires_at=expires)
            return self.agree(call, expected, done)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=POINTS, target=waits)
        def earn_pending(self, who: int, currency: str, points: int) -> Any:
            person = self.people[who]
            expected, done = self.wallets[person].earn_pending(currency, points)
            call = grant(person, waiting(points, None), currency=currency, as_of=self.now)
            return self.agree(call, expected, done)

        @rule(one=waits, days=DAYS, target=done)
        def activate(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], days: int | None) -> Any:
            person, operation_id, done = one
            expected = self.wallets[person].activate(done, self.now, days and self.now + timedelta(days=days))
            call = activate(person, operation_id, self.now, confirms=True, days=days)
            self.agree(call, expected, None)
            return one

        @rule(one=waits)
        def reject(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation]) -> None:
            person, operation_id, done = one
            expected = self.wallets[person].reject(done, self.now)
            self.agree(reject(person, operation_id, as_of=self.now), expected, None)

        @rule(who=st.integers(0, 1), currency=SPENT, points=POINTS, target=done)
        def redeem(self, who: int, currency: str, points: int) -> Any:
            person = self.people[who]
            expected, done = self.wallets[person].redeem(currency, points, self.now)
            return self.agree(redeem(person, points, currency, as_of=self.now), expected, done)

        @rule(who=st.integers(0, 1), points=POINTS, unit=st.integers(1, 9), least=st.integers(1, 40), target=done)
        def pay(self, who: int, points: int, unit: int, least: int) -> Any:
            person = self.people[who]
            expected, done = self.wallets[person].pay("GRO", points, unit, least, self.now)
            return self.agree(pay(person, points, unit, least, as_of=self.now), expected, done)

        @rule(who=st.integers(0, 2), currency=SPENT, points=POINTS, hours=st.integers(1, 99), target=holds)
        def hold(self, who: int, currency: str, points: int, hours: int) -> Any:
            """Also of what is in the pool."""
            person, until = (*self.people, self.pooled)[who], self.now + timedelta(hours=hours)
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

        @rule(who=st.integers(0, 1), points=POINTS, into=st.booleans())
        def pool(self, who: int, points: int, into: bool) -> None:
            """R6: a pool is one more holder, whose lots are compared as all others are."""
            sides = (self.people[who], self.pooled) if into else (self.pooled, self.people[who])
            giver, other = (self.wallets[side] for side in sides)
            expected, _ = giver.give(other, "GRO", points, self.now, deeper=not into)
            kind = OperationKind.POOL_IN if into else OperationKind.POOL_OUT
            self.agree(give(*sides, points, as_of=self.now, kind=kind), expected, None)

        @rule(points=POINTS)
        def spend_pool(self, points: int) -> None:
            expected, _ = self.wallets[self.pooled].redeem("GRO", points, self.now)
            self.agree(redeem(self.pooled, points, as_of=self.now), expected, None)

        @rule(who=st.integers(0, 1), currency=CURRENCIES, points=POINTS | st.integers(-60, -1), days=DAYS, target=done)
        def adjust(self, who: int, currency: str, points: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].adjust(currency, points, self.now, expires)
            return self.agree(adjust(person, points, currency, as_of=self.now, expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), paid=POINTS, bonus=st.integers(0, 20), days=DAYS, target=done)
        def top_up(self, who: int, paid: int, bonus: int, days: int | None) -> Any:
            """L4: what was paid for never expires, whatever becomes of the bonus."""
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].top_up("VAL", paid, bonus, self.now, expires)
            return self.agree(top_up(person, paid, bonus, as_of=self.now, bonus_expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), amount=st.none() | POINTS)
        def refund(self, who: int, amount: int | None) -> None:
            person = self.people[who]
            self.agree(refund(person, amount, as_of=self.now), self.wallets[person].refund(amount), None)

        @rule(who=st.integers(0, 1), times=st.integers(2, 3), days=DAYS, target=done)
        def exit(self, who: int, times: int, days: int | None) -> Any:
            """R13: what was earned and not spent is sold; a later clawback takes from the change first."""
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].exit(times, self.now, expires)
            return self.agree(exit_(person, times, as_of=self.now, change_expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), days=DAYS, target=done)
        def follow_exit(self, who: int, days: int | None) -> Any:
            person, expires = self.people[who], days and self.now + timedelta(days=days)
            expected, done = self.wallets[person].follow_exit(self.now, expires)
            return self.agree(follow_exit(person, as_of=self.now, change_expires_at=expires), expected, done)

        @rule(who=st.integers(0, 1), days=st.integers(1, 6), data=st.data())
        def extend(self, who: int, days: int, data: st.DataObject) -> None:
            """L2: nobody was told, so what ends on a date lives longer; source, depth and age stay."""
            person = self.people[who]
            dates = sorted({lot.expires for lot in self.wallets[person].lots if lot.currency == "GRO" and lot.expires})
            if not dates:
                return
            ends = data.draw(st.sampled_from(dates))
            until = ends + timedelta(days=days)
            expected = self.wallets[person].extend("GRO", ends, until)
            self.agree(extend(person, ends, until, as_of=self.now), expected, None)

        @rule(one=done | waits, endless=st.booleans())
        def reverse(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], endless: bool) -> None:
            person, operation_id, done = one
            expected = self.wallets[person].reverse(done, self.now, endless=endless)
            if done.kind == "EXIT":
                self.agree(reverse_exit(person, operation_id, as_of=self.now), expected, None)
            elif done.kind == "TOP_UP":
                self.agree(reverse_top_up(person, operation_id, as_of=self.now), expected, None)
            elif done.kind == "GIFT":
                (other,) = set(self.people) - {person}
                self.agree(take_back(person, other, operation_id, as_of=self.now), expected, None)
            else:
                terms = ENDLESS if endless else {}
                self.agree(reverse(person, operation_id, as_of=self.now, sold=SOLD, **terms), expected, None)

        @rule(one=done | waits, points=POINTS)
        def reverse_part(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], points: int) -> None:
            person, operation_id, done = one
            if done.kind not in ("EARN", "REDEEM"):
                return
            expected = self.wallets[person].reverse(done, self.now, points)
            self.agree(
                reverse(person, operation_id, as_of=self.now, sold=SOLD, asked=Asked(points=points)), expected, None
            )

        @rule(one=consumes(done))
        def forget(self, one: object) -> None:
            """Let the machine reverse others."""

        @rule(who=st.integers(0, 1), currency=SPENT, target=expired)
        def expire(self, who: int, currency: str) -> Any:
            person = self.people[who]
            gone, done = self.wallets[person].expire(currency, self.now)
            return self.agree(expire(person, currency, as_of=self.now), gone, done)

        @rule(one=expired, points=st.none() | POINTS, days=st.integers(1, 6))
        def reinstate(self, one: tuple[uuid.UUID, uuid.UUID, ModelOperation], points: int | None, days: int) -> None:
            person, operation_id, done = one
            ends = self.now + timedelta(days=days)
            expected = self.wallets[person].reinstate(done, points, self.now, ends)
            self.agree(reinstate(person, operation_id, points, as_of=self.now, expires_at=ends), expected, None)

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
            kept = loop.run(posted(engine.database, self.wallets))
            pending = loop.run(posted(engine.database, self.wallets, "PENDING"))
            for person, wallets in self.wallets.items():
                for currency in ("GRO", "FUE", "VAL"):
                    assert kept.get((person, currency), 0) == wallets.balance(currency)
                    assert pending.get((person, currency), 0) == wallets.pending.get(currency, 0)
                assert loop.run(lots_of(engine.database, {person})) == sorted(
                    (lot.currency, lot.granted_at, lot.expires or END, lot.granted, lot.left, lot.depth, lot.held)
                    for lot in wallets.lots
                )

        def teardown(self) -> None:
            assert loop.run(differences(engine.database)) == []

    shape = settings(max_examples=lives, stateful_step_count=30)
    run_state_machine_as_test(Machine, settings=shape)
