"""Tiers against a plain model, and any cutting of a life into batches against one by one (R28)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.ledger.request import Posted
from tests.alliance.clearing.test_tiers import buying, history
from tests.alliance.kinds import put_in_force, with_tiers
from tests.alliance.support import House

START = datetime(2017, 11, 20, 12, tzinfo=UTC)
LATE = timedelta(days=3)


@dataclass
class ModelMember:
    """What a member bought, as one would write it down: the year's credits, and since when they have which tier."""

    credits: dict[int, int] = field(default_factory=dict)
    tiers: list[tuple[datetime, str | None, int]] = field(default_factory=list)

    def buy(self, dollars: int, occurred_at: datetime, now: datetime) -> int:
        while self.tiers and self.tiers[-1][1] and self.tiers[-1][2] < now.year:
            ended = self.tiers[-1][2]
            level = self.level(self.credits.get(ended, 0))
            self.tiers.append((datetime(ended + 1, 1, 1, 5, tzinfo=UTC), level, ended + 1))
        had = [level for since, level, _ in self.tiers if since <= occurred_at]
        year = (now - timedelta(hours=5)).year
        self.credits[year] = self.credits.get(year, 0) + dollars
        reached, present = self.level(self.credits[year]), self.tiers[-1][1] if self.tiers else None
        if [None, "silver", "gold"].index(reached) > [None, "silver", "gold"].index(present):
            self.tiers.append((now, reached, year + 1))
        return dollars * (2 if had and had[-1] == "gold" else 1)

    @staticmethod
    def level(credits: int) -> str | None:
        return "gold" if credits >= 300 else "silver" if credits >= 100 else None


Purchase = tuple[int, int, int, bool]
LIFE = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 200), st.integers(0, 300), st.booleans()), max_size=14)


@settings(max_examples=8, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=LIFE, cuts=st.lists(st.booleans(), min_size=14, max_size=14))
async def test_r11_r12_r28_tiers_are_the_models(tiered: House, life: list[Purchase], cuts: list[bool]) -> None:
    people = [await tiered.member() for _ in range(4)]
    models = [ModelMember(), ModelMember()]
    now, expected, requests = START, [], []
    for who, dollars, days, late in life:
        now += timedelta(days=days)
        occurred_at = now - LATE if late else now
        expected.append(models[who].buy(dollars, occurred_at, now))
        named: dict[str, Any] = {"as_of": now, "occurred_at": occurred_at}
        requests.append([buying(tiered, people[who + twin], dollars, **named) for twin in (0, 2)])
    alone = [await tiered.runtime.engine.post(one) for one, _ in requests]
    batches = [list(group) for _, group in groupby(enumerate(requests), key=lambda pair: sum(cuts[: pair[0]]))]
    together: list[Any] = []
    for batch in batches:
        together += await tiered.runtime.engine.post_many([twin for _, (_, twin) in batch])
    assert [posted.points for posted in alone] == expected
    assert [posted.points for posted in together if isinstance(posted, Posted)] == expected
    for person, twin, model in zip(people, people[2:], models, strict=False):
        rows = [[(row.valid_from, row.level) for row in await history(tiered, one)] for one in (person, twin)]
        assert rows[0] == rows[1] == [(since, level) for since, level, _ in model.tiers]


@pytest.fixture
async def tiered(house: House) -> House:
    """The sample alliance, its grocer with tiers."""
    await put_in_force(house.runtime, with_tiers())
    return house
