"""When points are guarded, over what is kept of a member and what a programme says."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.guard.errors import CoolingOff, PointsLocked
from domain.guard.rules import GuardState
from domain.programs.guarding import NO_GUARD, GuardTerms, guard_terms

NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PHONES = guard_terms({}, {"coolingOff": {"types": ["PHONE", "EMAIL"], "hours": 24}})


def state(locked: datetime | None = None, until: datetime | None = None, **changed: datetime) -> GuardState:
    """What is kept of a member."""
    return GuardState(locked, until, changed)


@pytest.mark.parametrize(("as_of", "barred"), [(NOON, True), (NOON + DAY, False), (NOON + 2 * DAY, False)])
def test_a_lock_opens_at_its_end(as_of: datetime, barred: bool) -> None:
    assert isinstance(state(NOON, NOON + DAY).bars(NO_GUARD, as_of), PointsLocked) is barred


def test_a_lock_without_an_end_stays_and_is_none_of_a_programme_that_says_so() -> None:
    known = state(NOON)
    refusal = known.bars(NO_GUARD, NOON + 999 * DAY)
    assert refusal is not None
    assert refusal.data == {"until": None}
    assert known.bars(GuardTerms(lock=False), NOON) is None


@pytest.mark.parametrize(("hours", "barred"), [(0, True), (23, True), (24, False)])
def test_points_cool_off_for_the_hours_after_a_change(hours: int, barred: bool) -> None:
    refusal = state(PHONE=NOON).bars(PHONES, NOON + timedelta(hours=hours))
    assert isinstance(refusal, CoolingOff) is barred
    if refusal is not None:
        assert refusal.data == {"type": "PHONE", "until": (NOON + DAY).isoformat()}


def test_the_change_that_lasts_longest_is_named_and_other_types_are_none() -> None:
    known = state(PHONE=NOON, EMAIL=NOON + timedelta(hours=1), CARD=NOON + timedelta(hours=2))
    assert known.cools(PHONES, NOON + timedelta(hours=3)) == ("EMAIL", NOON + timedelta(hours=25))
    assert state(CARD=NOON).bars(PHONES, NOON) is None


def test_a_programme_says_otherwise_rule_by_rule() -> None:
    alliance = {"coolingOff": {"types": ["PHONE"], "hours": 24}, "newDevice": {"days": 7, "points": 500}}
    own = guard_terms(alliance, {"coolingOff": False, "lock": False})
    assert (own.lock, own.cooling) == (False, None)
    assert own.device is not None
    assert (own.device.days, own.device.points) == (7, 500)
    assert guard_terms({}, None) == NO_GUARD
