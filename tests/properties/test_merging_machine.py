"""Merges, unmerges, earns, spends and reversals at random, against a plain model: the books balance (R6, R22, R26)."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run

from domain.errors import Refusal
from domain.ledger.engine import PostingEngine
from domain.ledger.request import Posted, Request
from tests.ledger_support import NOON, earn, members, merge, posted, redeem, reverse, unmerge
from tests.merging_model import ModelOperation, ModelPerson
from tests.merging_model import reverse as undo
from tests.properties.support import Loop, differences

WHO = st.integers(0, 3)
POINTS = st.integers(1, 60)
Done = tuple[uuid.UUID, uuid.UUID, ModelOperation]


@pytest.mark.parametrize("lives", [8, pytest.param(300, marks=pytest.mark.long)])
def test_r06_r22_r26_merged_books_are_the_models(ledger: tuple[Loop, PostingEngine], lives: int) -> None:
    loop, engine = ledger

    class Machine(RuleBasedStateMachine):
        """Four members, who become each other and themselves again."""

        done = Bundle("done")

        @initialize()
        def begin(self) -> None:
            self.now = NOON
            self.people = {id_: ModelPerson() for id_ in members(4)}

        def of(self, who: int) -> tuple[uuid.UUID, ModelPerson]:
            return list(self.people.items())[who]

        def agree(self, call: Request, expected: int | str, done: ModelOperation | None = None) -> Any:
            self.now += timedelta(minutes=1)
            [answer] = loop.run(engine.post_many([call]))
            if isinstance(answer, Refusal):
                assert type(answer).__name__ == expected
                return multiple()
            assert isinstance(answer, Posted)
            assert answer.points == expected
            return multiple() if done is None else (call.holder_id, answer.operation_id, done)

        @rule(who=WHO, points=POINTS, target=done)
        def earn(self, who: int, points: int) -> Any:
            id_, person = self.of(who)
            return self.agree(earn(id_, points, as_of=self.now), *person.earn(points, self.now))

        @rule(who=WHO, points=POINTS, target=done)
        def redeem(self, who: int, points: int) -> Any:
            id_, person = self.of(who)
            return self.agree(redeem(id_, points, as_of=self.now), *person.redeem(points))

        @rule(one=done)
        def reverse(self, one: Done) -> None:
            self.agree(reverse(one[0], one[1], as_of=self.now), undo(one[2]))

        @rule(who=WHO, other=WHO)
        def merge(self, who: int, other: int) -> None:
            if who != other:
                (id_, person), (into, survivor) = self.of(who), self.of(other)
                self.agree(merge(id_, into, as_of=self.now), person.merge(survivor))

        @rule(who=WHO)
        def unmerge(self, who: int) -> None:
            id_, person = self.of(who)
            into = next((one for one, other in self.people.items() if other is person.into), id_)
            call = loop.run(unmerge(engine.database, id_, into, as_of=self.now))
            self.agree(call, person.unmerge())

        @invariant()
        def every_balance_is_the_models(self) -> None:
            if hasattr(self, "people"):
                kept = loop.run(posted(engine.database, self.people))
                expected = {id_: person.balance for id_, person in self.people.items()}
                assert {id_: kept.get((id_, "GRO"), 0) for id_ in self.people} == expected

        def teardown(self) -> None:
            assert loop.run(differences(engine.database)) == []

    run(Machine, settings=settings(max_examples=lives, stateful_step_count=25))
