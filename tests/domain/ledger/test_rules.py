"""Rules of lots, by number."""

import uuid
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger.rules import (
    LotState,
    allocate,
    available,
    clawback,
    exchanged_lots,
    first_parts,
    gone,
    part_in_points,
    share,
    spend_order,
)
from tests.ledger_support import ISSUERS, NOON

DAY = timedelta(days=1)


def lot(remaining: int, expires: datetime | None = None, granted: datetime = NOON, number: int = 1) -> LotState:
    id_ = uuid.UUID(int=number)
    issuer = ISSUERS["GRO"]
    return LotState(id_, id_, "GRO", id_, issuer, issuer, 0, remaining, remaining, granted, expires)


def test_r01_earliest_expiry_first_never_last_ties_by_grant_then_id() -> None:
    never = lot(1, None, number=1)
    late = lot(1, NOON + 9 * DAY, number=2)
    second = lot(1, NOON + DAY, granted=NOON, number=3)
    first = lot(1, NOON + DAY, granted=NOON - DAY, number=9)
    third = lot(1, NOON + DAY, granted=NOON, number=4)
    assert sorted([never, late, third, second, first], key=spend_order) == [first, second, third, late, never]


def test_r01_a_debit_takes_lots_in_that_order() -> None:
    soon, later = lot(30, NOON + DAY, number=1), lot(100, NOON + 2 * DAY, number=2)
    assert allocate([later, soon], 50, NOON) == [(soon, 30), (later, 20)]


@pytest.mark.parametrize(("at", "expected"), [(NOON + DAY - timedelta(microseconds=1), 10), (NOON + DAY, 0)])
def test_r02_an_expired_lot_is_never_spent(at: datetime, expected: int) -> None:
    lots = [lot(10, NOON + DAY)]
    assert available(lots, at) == expected
    assert sum(part for _, part in allocate(lots, 10, at)) == expected


def test_r21_clawback_takes_own_lots_first_then_spend_order() -> None:
    own, other = lot(40, None, number=1), lot(100, NOON + DAY, number=2)
    own.granted = 100
    taken, shortfall = clawback([own], [own, other], 100, NOON)
    assert (taken, shortfall) == ([(own, 40), (other, 60)], 0)


def test_r21_clawback_never_goes_below_zero() -> None:
    own = lot(40, None)
    assert clawback([own], [own], 100, NOON) == ([(own, 40)], 60)


@pytest.mark.parametrize("booked", [True, False])
def test_r21_points_that_expired_are_not_asked_of_other_lots(booked: bool) -> None:
    own, other = lot(100, NOON - DAY, number=1), lot(100, None, number=2)
    if booked:
        own.lapsed, own.remaining = 100, 0
    assert clawback([own], [other], 100 - gone([own], NOON), NOON) == ([], 0)


def test_a03_exchanged_lots_keep_the_earlier_expiry() -> None:
    soon, late = lot(50, NOON + DAY, number=1), lot(50, None, number=2)
    assert exchanged_lots([(soon, 50), (late, 50)], 81, NOON + 9 * DAY) == [(41, NOON + DAY), (40, NOON + 9 * DAY)]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_shares_sum_to_the_total_and_stay_within_one_of_exact(total: int, weights: list[int]) -> None:
    shares = share(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    assert all(abs(part * whole - total * weight) < whole for part, weight in zip(shares, weights, strict=True))


def test_r14_what_is_held_is_neither_available_nor_allocated() -> None:
    soon, later = lot(30, NOON + DAY, number=1), lot(100, NOON + 2 * DAY, number=2)
    soon.held, later.held = 30, 40
    assert available([soon, later], NOON) == 60
    assert allocate([soon, later], 100, NOON) == [(later, 60)]


def test_r14_part_of_a_hold_is_its_first_lots() -> None:
    one, two = lot(10, number=1), lot(10, number=2)
    assert first_parts([(two, 4), (one, 5)], 6) == [(two, 4), (one, 2)]
    assert first_parts([(two, 4), (one, 5)], 4) == [(two, 4)]


def test_r21_a_clawback_leaves_what_is_held_though_it_is_past_its_date() -> None:
    own, other = lot(100, NOON + DAY, number=1), lot(30, None, number=2)
    own.held = 60
    assert gone([own], NOON + 2 * DAY) == 40
    assert clawback([own], [own, other], 60, NOON + 2 * DAY) == ([(other, 30)], 30)


@given(wanted=st.integers(0, 1000), have=st.integers(0, 1000), unit=st.integers(1, 300), minimum=st.integers(1, 500))
def test_r15_a_part_in_points_keeps_all_its_bounds(wanted: int, have: int, unit: int, minimum: int) -> None:
    points = part_in_points(wanted, have, unit, minimum)
    assert points <= min(wanted, have)
    assert points % unit == 0
    assert points == 0 or points >= minimum
    assert points + unit > min(wanted, have) or points + unit < minimum or points == 0
