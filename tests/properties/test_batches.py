"""R28: a life of every verb, cut into batches anywhere, is answered and booked as one by one."""

import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.ledger import engine as engine_module
from domain.ledger.commands import Grant
from domain.ledger.engine import PostingEngine
from domain.ledger.grants import Ending, Limits, Part
from domain.ledger.request import Posted, Request
from domain.ledger.returns import Asked
from tests.ledger_support import (
    NOON,
    activate,
    adjust,
    capture,
    earn,
    exchange,
    exit_,
    expire,
    give,
    grant,
    hold,
    lapse,
    members,
    opening,
    pay,
    redeem,
    refund,
    reinstate,
    reject,
    release,
    reverse,
    reverse_exit,
    reverse_top_up,
    rows,
    take_back,
    top_up,
    waiting,
)
from tests.properties.support import ENDLESS, Loop, lots_of

SOLD = {"GRO": "VAL"}
ALONE = ["earn", "wait", "redeem", "pay", "hold", "exchange", "give", "adjust", "expire", "opening"]
ALONE += ["top_up", "refund", "pay_value", "exit"]
OF_EARLIER = {
    "capture": ["hold"],
    "release": ["hold"],
    "lapse": ["hold"],
    "take_back": ["give"],
    "untop": ["top_up"],
    "unexit": ["exit"],
    "reverse": ["earn", "wait", "redeem", "pay", "capture", "exchange", "adjust", "opening", "pay_value"],
    "return": ["earn", "wait", "redeem", "pay_value"],
    "activate": ["wait"],
    "confirm": ["wait"],
    "reject": ["wait"],
    "reinstate": ["expire"],
    "again": ALONE,
}
"""Verbs about what an earlier step did, and which steps those may be."""

WEEK = timedelta(days=7)


class Step(NamedTuple):
    """What is done, by whom; the rest means what the verb makes of it. `which` chooses among the earlier steps."""

    verb: str
    who: int
    points: int
    days: int | None
    which: int


VERBS = ["earn", *ALONE, *OF_EARLIER, "earn", "expire", "reinstate"]
STEPS = st.builds(
    Step,
    st.sampled_from(VERBS),
    st.integers(0, 2),
    st.integers(1, 60),
    st.none() | st.integers(1, 6),
    st.integers(0, 20),
)


@dataclass
class Life:
    """Steps in the making: requests wait until their batch is full, or one is about what another of them does."""

    loop: Loop
    engine: PostingEngine
    sizes: Sequence[int]
    people: list[uuid.UUID] = field(default_factory=lambda: members(3))
    calls: list[Request | None] = field(default_factory=list)
    answers: list[Posted | Refusal | None] = field(default_factory=list)
    batches: int = 0

    def live(self, steps: Sequence[Step]) -> None:
        for number, step in enumerate(steps):
            earlier = [n for n in range(number) if steps[n].verb in OF_EARLIER.get(step.verb, ())]
            about = earlier[-1 - step.which % len(earlier)] if earlier else None
            if about is not None and about >= len(self.answers) and step.verb != "again":
                self.post()
            self.calls.append(self.request(number, step, about))
            if len(self.calls) - len(self.answers) >= self.sizes[self.batches % len(self.sizes)]:
                self.post()
        self.post()

    def post(self) -> None:
        """Post what waits, as a batch."""
        waiting = self.calls[len(self.answers) :]
        answers = iter(self.loop.run(self.engine.post_many([call for call in waiting if call is not None])))
        self.answers += [None if call is None else next(answers) for call in waiting]
        self.batches += 1

    def request(self, number: int, step: Step, about: int | None) -> Request | None:
        """None for a step about something that did not come to be."""
        now = NOON + timedelta(hours=9 * number)
        if about is None:
            return self.alone(step, now) if step.verb in ALONE else None
        if step.verb == "again":
            call = self.calls[about]
            return call and replace(call)
        first = self.answers[about]
        if not isinstance(first, Posted) or (first.operation_id is None and "hold" not in first.data):
            return None
        return self.of_earlier(step, first, now)

    def alone(self, step: Step, now: Any) -> Request:
        verb, who, points, days, _ = step
        person, other, ends = self.people[who], self.people[(who + 1) % 3], days and now + timedelta(days=days)
        match verb:
            case "earn":
                beside = (Grant("FUE", points, ends),) if points % 3 == 0 else ()
                return earn(person, 9 * points, as_of=now, expires_at=ends, beside=beside)
            case "wait":
                first = NOON + (now - NOON) // WEEK * WEEK
                week = Limits(1, periods=(("perWeek", 90, first, first + WEEK),))
                return grant(person, Part(points, Ending(ends)), waiting(points, days), limits=week, as_of=now)
            case "redeem":
                return redeem(person, points, as_of=now)
            case "pay":
                return pay(person, points, 5, 10, as_of=now)
            case "hold":
                return hold(person, points, seconds=86_400 * (days or 30), as_of=now)
            case "exchange":
                return exchange(person, points, max(1, points // 2), as_of=now, into_expires_at=ends)
            case "give":
                return give(person, other, points, as_of=now)
            case "adjust":
                return adjust(person, points - 20 or 1, as_of=now, expires_at=ends)
            case "top_up":
                return top_up(person, points, points // 3, as_of=now, bonus_expires_at=ends)
            case "exit":
                return exit_(person, 2 + points % 2, as_of=now, change_expires_at=ends)
            case "refund":
                return refund(person, points if days else None, as_of=now)
            case "pay_value":
                return redeem(person, points, "VAL", as_of=now)
            case "opening":
                return opening(person, points, now - timedelta(days=3), as_of=now, expires_at=ends)
        return expire(person, as_of=now)

    def of_earlier(self, step: Step, first: Posted, now: Any) -> Request:
        verb, who, points, days, _ = step
        person, operation = first.holder_id, first.operation_id
        match verb:
            case "capture":
                return capture(first, points, as_of=now)
            case "release":
                return release(first, as_of=now)
            case "lapse":
                return lapse(first, as_of=now)
            case "take_back":
                other = self.people[(self.people.index(person) + 1) % 3]
                return take_back(person, other, operation, as_of=now)
            case "unexit":
                return reverse_exit(person, operation, as_of=now)
            case "untop":
                return reverse_top_up(person, operation, as_of=now)
            case "return":
                return reverse(person, operation, as_of=now, sold=SOLD, asked=Asked(points=points))
            case "activate" | "confirm":
                return activate(person, operation, now, confirms=verb == "confirm", days=days)
            case "reject":
                return reject(person, operation, as_of=now)
            case "reinstate":
                ends = now + timedelta(days=days or 1)
                return reinstate(person, operation, None if who else points, as_of=now, expires_at=ends)
        return reverse(person, operation, as_of=now, sold=SOLD, **(ENDLESS if who else {}))

    def told(self) -> list[str]:
        """The answers, with the number of its step in place of each id."""
        names = {str(person): f"person {n}" for n, person in enumerate(self.people)}
        told = []
        for n, answer in zip(count(), self.answers, strict=False):
            if isinstance(answer, Posted) and not answer.duplicate:
                names |= {str(answer.operation_id): f"operation {n}", answer.data.get("hold", "-"): f"hold {n}"}
            data = answer.to_json() if isinstance(answer, Refusal) else asdict(answer) if answer else None
            text = json.dumps(data, sort_keys=True, default=str)
            for id_, name in names.items():
                text = text.replace(id_, name) if id_ not in ("None", "-") else text
            told.append(text)
        return told

    def books(self) -> list[object]:
        """What the ledger has of these members, without ids."""
        database = self.engine.database
        tables = (
            "SELECT kind, currency, posted, held, debt FROM account WHERE holder_id = $1 ORDER BY 1, 2",
            "SELECT kind, as_of FROM operation WHERE holder_id = $1 ORDER BY id",
            "SELECT currency, amount, balance_after FROM entry WHERE holder_id = $1 ORDER BY operation_id, seq",
            "SELECT currency, points, status, captured FROM hold WHERE holder_id = $1 ORDER BY id",
            "SELECT currency, points FROM debt WHERE holder_id = $1 ORDER BY operation_id",
            "SELECT granted, remaining FROM pending_grant WHERE holder_id = $1 ORDER BY operation_id, seq",
            "SELECT points FROM debt_payment WHERE holder_id = $1 ORDER BY operation_id, debt_id",
        )
        found: list[object] = [self.loop.run(lots_of(database, [person])) for person in self.people]
        for table in tables:
            found += [[tuple(row) for row in self.loop.run(rows(database, table, one))] for one in self.people]
        return found


@pytest.fixture(scope="module", autouse=True)
def _small_batches_are_split() -> Iterator[None]:
    """As large ones are: into two transactions at the same time, where the halves share nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "SPLIT", 2)
        yield


def the_same(ledger: tuple[Loop, PostingEngine], steps: Sequence[Step], sizes: Sequence[int]) -> None:
    one_by_one, in_batches = Life(*ledger, [1]), Life(*ledger, sizes)
    one_by_one.live(steps)
    in_batches.live(steps)
    assert in_batches.told() == one_by_one.told()
    assert in_batches.books() == one_by_one.books()


@given(steps=st.lists(STEPS, min_size=40, max_size=80), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5))
@settings(max_examples=10)
def test_r28_any_cutting_into_batches_gives_the_answers_and_books_of_one_by_one(
    ledger: tuple[Loop, PostingEngine], steps: list[Step], sizes: list[int]
) -> None:
    the_same(ledger, steps, sizes)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 60))])
def test_r28_a_long_life_is_the_same_in_batches(ledger: tuple[Loop, PostingEngine], seed: int) -> None:
    """Many verbs about few things, which small examples seldom bring together."""
    dice = random.Random(seed)
    draw = dice.randrange
    steps = [Step(dice.choice(VERBS), draw(3), draw(60) + 1, dice.choice([None, 1, 3, 6]), draw(9)) for _ in range(400)]
    the_same(ledger, steps, [dice.randint(1, 25) for _ in range(20)])
