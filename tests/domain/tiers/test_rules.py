"""When tiers begin and end (R3, R7): pure, in the merchant's time zone."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.programs.tiering import Level, TierProgramme
from domain.tiers.rules import TierState, ended, level_at, lifted, returned, settled, since

LEVELS = (Level("silver", "Silver", 100), Level("gold", "Gold", 300))
YEARLY = TierProgramme(uuid.UUID(int=1), ZoneInfo("America/New_York"), "VIP", None, False, LEVELS, "if_lifted", 30)
ROLLING = replace(YEARLY, months=12)
BALANCE = replace(YEARLY, follows_balance=True)
JUNE = datetime(2017, 6, 1, 12, tzinfo=UTC)
ORDER = uuid.UUID(int=7)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("programme", "reached_at", "until"),
    [
        (YEARLY, "2017-06-01T12:00:00Z", "2019-01-01T05:00:00Z"),
        (YEARLY, "2018-01-01T04:59:59Z", "2019-01-01T05:00:00Z"),
        (YEARLY, "2018-01-01T05:00:00Z", "2020-01-01T05:00:00Z"),
        (replace(YEARLY, zone=ZoneInfo("Asia/Shanghai")), "2017-12-31T15:59:59Z", "2018-12-31T16:00:00Z"),
        (ROLLING, "2017-06-01T12:00:00Z", "2018-06-02T04:00:00Z"),
        (ROLLING, "2016-02-29T12:00:00Z", "2017-03-01T05:00:00Z"),
        (replace(ROLLING, months=1), "2018-02-11T12:00:00Z", "2018-03-12T04:00:00Z"),
        (BALANCE, "2017-06-01T12:00:00Z", None),
    ],
)
def test_r03_a_tier_ends_with_the_last_day_of_its_period(
    programme: TierProgramme, reached_at: str, until: str | None
) -> None:
    assert programme.until(at(reached_at)) == (until and at(until))


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8), st.sampled_from([YEARLY, ROLLING]))
def test_r07_however_long_nobody_looked_the_tiers_are_the_same(credits: list[int], programme: TierProgramme) -> None:
    """Whoever looks after each end, and whoever looks once after all of them."""
    first = lifted(programme, [], 300, JUNE, ORDER)
    assert first is not None
    gives: dict[datetime, int] = {}

    def credits_at(end: datetime) -> int:
        return gives.setdefault(end, credits[len(gives) % len(credits)])

    often: list[TierState] = [first]
    for years in range(1, 12):
        often += ended(programme, often, credits_at, JUNE + timedelta(days=400 * years))
    once = [first, *ended(programme, [first], credits_at, JUNE + timedelta(days=400 * 11))]
    assert often == once
    for before, after in pairwise(once):
        assert after.valid_from == before.until
        assert after.threshold is None or after.credits >= after.threshold


def test_r24_clocks_that_go_back_do_not_make_tiers_overlap() -> None:
    gold = TierState("gold", JUNE, YEARLY.until(JUNE), operation_id=ORDER, credits=300, threshold=300)
    named: dict[str, Any] = {"order_id": ORDER, "bought_at": JUNE, "operation_id": uuid.UUID(int=8)}
    lost = returned(YEARLY, [gold], 0, JUNE - timedelta(days=1), **named)
    assert lost is not None
    assert (lost.level, lost.valid_from, lost.until) == (None, JUNE, None)


def test_r12_the_level_of_a_moment_is_that_of_the_last_tier_begun() -> None:
    tiers = [
        TierState("silver", JUNE),
        TierState("gold", JUNE + timedelta(days=1)),
        TierState(None, JUNE + timedelta(days=2)),
    ]
    moments = [JUNE - timedelta(seconds=1), *(JUNE + timedelta(days=days) for days in range(4))]
    assert [level_at(tiers, moment) for moment in moments] == [None, "silver", "gold", None, None]


def test_since_counts_from_where_the_level_was_reached() -> None:
    tiers = [TierState(level, JUNE + timedelta(days=day)) for day, level in enumerate(["gold", "silver", "silver"])]
    assert since(tiers) == JUNE + timedelta(days=1)
    assert since([]) is None


def test_r07_a_tier_that_depends_on_the_balance_has_no_end_of_its_own() -> None:
    gold = lifted(BALANCE, [], 300, JUNE, ORDER)
    assert gold is not None
    later = JUNE + timedelta(days=5000)
    assert settled(BALANCE, [gold], lambda _: 0, 300, later) == []
    assert [(tier.level, tier.reason) for tier in settled(BALANCE, [gold], lambda _: 0, 120, later)] == [
        ("silver", "BALANCE")
    ]


def test_a_level_that_is_declared_no_more_ranks_below_all() -> None:
    platinum = TierState("platinum", JUNE, YEARLY.until(JUNE))
    lift = lifted(YEARLY, [platinum], 120, JUNE, ORDER)
    assert lift is not None
    assert lift.level == "silver"
