"""Points out and in (A3), as arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.agreements.book import ExchangeTerms
from alliance.exchange.errors import BelowMinimum
from alliance.exchange.rules import amounts, price_at_issue, quoted
from domain.errors import InvalidInput

rates = st.fractions(min_value=Fraction(1, 1000), max_value=20, max_denominator=1000)
blocks = st.integers(1, 500)
points = st.integers(1, 10**6)


def test_a03_101_at_0_8_gives_100_for_80_and_1_stays() -> None:
    assert amounts(Fraction("0.8"), 1, 1, out=101, into=None) == (100, 80)


def test_a03_the_fewest_points_that_give_the_points_in() -> None:
    assert amounts(Fraction("0.8"), 1, 1, out=None, into=80) == (100, 80)
    assert amounts(Fraction("0.8"), 1, 1, out=None, into=81) == (102, 81)
    assert amounts(Fraction(3), 1, 1, out=None, into=7) == (3, 9)


def test_a05_block_first_then_steps() -> None:
    at = Fraction("0.8")
    assert [amounts(at, 100, 50, out=out, into=None) for out in (100, 149, 150, 201)] == [
        (100, 80),
        (100, 80),
        (150, 120),
        (200, 160),
    ]
    assert amounts(at, 100, 50, out=None, into=1) == (100, 80)
    assert amounts(at, 100, 50, out=None, into=81) == (150, 120)


def test_a05_less_than_a_block_is_refused_with_the_minimum() -> None:
    with pytest.raises(BelowMinimum) as refused:
        amounts(Fraction("0.8"), 100, 50, out=99, into=None)
    assert refused.value.data == {"minimum": 100}
    with pytest.raises(BelowMinimum) as refused:
        amounts(Fraction(1, 7), 1, 1, out=6, into=None)
    assert refused.value.data == {"minimum": 7}


@pytest.mark.parametrize(("out", "into"), [(None, None), (1, 1), (0, None), (-1, None), (None, 0), (2**53, None)])
def test_a04_bad_amounts_are_refused(out: int | None, into: int | None) -> None:
    with pytest.raises(InvalidInput):
        amounts(Fraction(1), 1, 1, out=out, into=into)


def test_a04_points_in_that_cost_too_many_points_out_are_refused() -> None:
    with pytest.raises(InvalidInput):
        amounts(Fraction(1, 1000), 1, 1, out=None, into=2**53 - 1)


def test_a04_more_points_in_than_can_be_counted_are_refused() -> None:
    assert amounts(Fraction(1), 1, 1, out=2**53 - 1, into=None) == (2**53 - 1, 2**53 - 1)
    for out, into in ((2**53 - 1, None), (None, 2**53 - 1)):
        with pytest.raises(InvalidInput):
            amounts(Fraction(2_000), 1, 1, out=out, into=into)


def test_a01_the_price_of_the_new_lot_is_money_by_points_in() -> None:
    assert price_at_issue(400, 800_000, 320) == 1_000_000
    assert price_at_issue(100, 800_000, 3) == 26_666_667


@given(rates, blocks, blocks, points)
def test_a03_points_out_are_within_what_was_offered_and_the_fewest(
    rate: Fraction, block: int, step: int, out: int
) -> None:
    try:
        given, got = amounts(rate, block, step, out=out, into=None)
    except BelowMinimum as refused:
        least = refused.data["minimum"]
        assert int(least * rate) >= 1
        assert least > out
        return
    assert given <= out
    assert got == int(given * rate) >= 1
    assert given >= block
    assert (given - block) % step == 0
    assert given == block or int((given - step) * rate) < got
    largest = block + (out - block) // step * step
    assert got == int(largest * rate)


@given(rates, blocks, blocks, points)
def test_a03_points_in_are_at_least_what_was_asked(rate: Fraction, block: int, step: int, into: int) -> None:
    given, got = amounts(rate, block, step, out=None, into=into)
    assert got == int(given * rate) >= into
    assert given == block or int((given - step) * rate) < into


def terms(rate: Fraction, block: int, step: int, share: Fraction, points: int) -> ExchangeTerms:
    return ExchangeTerms("GRO", "FUE", rate, 800_000, 8_000, block, step, None, fee_share=share, fee_points=points)


def test_a01_a_members_fee_goes_out_beside_what_is_exchanged() -> None:
    plain, fee = terms(Fraction("0.8"), 1, 1, Fraction(0), 0), terms(Fraction("0.8"), 100, 50, Fraction("0.02"), 3)
    assert quoted(plain, out=101, into=None) == (100, 80, 0)
    assert quoted(fee, out=200, into=None) == (156, 120, 6)
    assert quoted(fee, out=None, into=160) == (207, 160, 7)
    with pytest.raises(BelowMinimum) as refused:
        quoted(fee, out=104, into=None)
    assert refused.value.data == {"minimum": 105}
    with pytest.raises(BelowMinimum):
        quoted(fee, out=2, into=None)
    for out in (0, -1, 2**53):
        with pytest.raises(InvalidInput):
            quoted(fee, out=out, into=None)


fees = st.tuples(st.fractions(min_value=0, max_value=1, max_denominator=100), st.integers(0, 50))


@given(rates, blocks, blocks, fees, points)
def test_a01_with_its_fee_no_more_goes_out_than_was_offered(
    rate: Fraction, block: int, step: int, fee: tuple[Fraction, int], out: int
) -> None:
    asked = terms(rate, block, step, *fee)
    try:
        given_, got, paid = quoted(asked, out=out, into=None)
    except BelowMinimum as refused:
        least = refused.data["minimum"]
        assert least > out
        assert quoted(asked, out=least, into=None).out <= least
        return
    exchanged = given_ - paid
    assert given_ <= out
    assert paid == asked.fee(exchanged)
    assert amounts(rate, block, step, out=exchanged, into=None) == (exchanged, got)
    for more in (exchanged + steps * step for steps in (1, 2, 5)):
        assert more + asked.fee(more) > out or int(more * rate) == got
