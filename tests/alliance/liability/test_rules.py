"""Deferred revenue for points (A13): the worked figures, Example 52 of IFRS 15, and what holds for any history."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.liability.rules import (
    WHOLE,
    Closing,
    Reached,
    Rolled,
    Step,
    Sums,
    closing,
    curve,
    deferred_part,
    expected_use,
    rolled,
    set_use,
)
from domain.money import half_even

START = (Sums(), Closing(0, 0, 0))


def cents(micro: int) -> str:
    return str(Decimal(half_even(micro, 10_000)).scaleb(-2))


def sold(points: int, sale: str, alone: str) -> Sums:
    """A cohort of one sale whose points would sell for `alone`."""
    price = round(deferred_part(Fraction(sale), Fraction(alone)) / points * 10**8)
    return Sums(granted=points, value_sold=points * price)


def used(sums: Sums, points: int) -> Sums:
    """So many points of it more are spent."""
    value = sums.value // sums.points.granted * points
    return replace(sums, redeemed=sums.redeemed + points, value_redeemed=sums.value_redeemed + value)


def expecting(sums: Sums, expected: int) -> tuple[Sums, Closing]:
    """The cohort at a month's end, of whose points `expected` will have been used in the end."""
    use = round(Fraction(expected - sums.redeemed, sums.outstanding) * WHOLE)
    return sums, closing(sums, use, use)


def earned(roll: Rolled) -> int:
    return roll.commission + roll.redeemed + roll.exchanged + roll.change


def test_a13_a_sale_is_shared_between_goods_and_points_by_what_they_would_sell_for() -> None:
    alone = Fraction(200) * Fraction(85, 100)
    deferred = deferred_part(Fraction(2000), alone)
    assert (round(2000 - deferred, 2), round(deferred, 2)) == (Fraction("1843.32"), Fraction("156.68"))
    granted = rolled(START, expecting(sold(2000, "2000", "170"), 1700))
    assert (cents(granted.sold), cents(granted.closing), earned(granted)) == ("156.68", "156.68", 0)


def test_a13_what_is_used_is_revenue_in_proportion_to_what_will_be() -> None:
    sale = sold(2000, "2000", "170")
    roll = rolled(expecting(sale, 1700), expecting(used(sale, 1000), 1700))
    assert (cents(roll.redeemed), roll.change, cents(roll.closing)) == ("92.17", 0, "64.52")


@pytest.mark.parametrize(("expected", "more"), [(1800, "29.70"), (1600, "44.93")])
def test_a13_another_estimate_is_caught_up_with_in_the_month_it_is_made(expected: int, more: str) -> None:
    first = used(sold(2000, "2000", "170"), 1000)
    roll = rolled(expecting(first, 1700), expecting(used(first, 400), expected))
    assert cents(earned(roll)) == more
    assert cents(roll.redeemed) == "36.87"
    assert (roll.change > 0) == (expected < 1700)
    assert roll.opening - earned(roll) == roll.closing


def test_a13_the_official_example() -> None:
    """IFRS 15 IE267-IE270 (Example 52): revenue of the first year, and of the second after a new estimate."""
    sale = sold(10_000, "100000", "9500")
    assert round(sale.value / 10**8) == 8_676
    assert 100_000 - round(sale.value / 10**8) == 91_324
    first = used(sale, 4_500)
    assert round(earned(rolled(expecting(sale, 9_500), expecting(first, 9_500))) / 10**6) == 4_110
    second = used(first, 4_000)
    assert round(earned(rolled(expecting(first, 9_500), expecting(second, 9_700))) / 10**6) == 3_493


def test_a13_points_that_were_expected_to_lapse_post_nothing_when_they_do() -> None:
    before = used(sold(2000, "2000", "170"), 1000)
    after = replace(before, expired=300, value_ended=before.value // 2000 * 300)
    breakage = Fraction(15, 100)
    assert set_use(breakage, before.points) == WHOLE * 7 // 10
    assert set_use(breakage, after.points) == WHOLE
    roll = rolled((before, closing(before, WHOLE * 7 // 10, 0)), (after, closing(after, WHOLE, 0)))
    assert earned(roll) == 0


def test_a13_more_that_lapses_than_expected_is_revenue() -> None:
    before = sold(2000, "2000", "170")
    after = replace(before, expired=2000, value_ended=before.value)
    roll = rolled(expecting(before, 1700), (after, closing(after, 0, 0)))
    assert (cents(roll.change), roll.redeemed, roll.closing) == ("156.68", 0, 0)


def test_a13_what_comes_back_with_its_sale_is_no_revenue() -> None:
    before = sold(2000, "2000", "170")
    after = replace(before, reversed=500, value_taken_sold=before.value // 4)
    roll = rolled((before, closing(before, WHOLE, WHOLE)), (after, closing(after, WHOLE, WHOLE)))
    assert (cents(roll.taken_sold), earned(roll), cents(roll.closing)) == ("39.17", 0, "117.51")


def test_a13_an_agent_keeps_its_margin_at_once_and_owes_the_rest_to_who_serves() -> None:
    """Points worth 170 that partners will be paid 0.06 each for: 1,700 of 2,000 are expected to be used."""
    sale, price, share = sold(2000, "2000", "170"), 6_000_000, WHOLE * 85 // 100
    granted = rolled(START, (sale, closing(sale, share, share, price)), price, share)
    assert (cents(granted.commission), cents(granted.closing)) == ("54.68", "102.00")
    after = used(sale, 1000)
    spent = rolled(
        (sale, closing(sale, share, share, price)), (after, closing(after, WHOLE * 7 // 10, 0, price)), price
    )
    assert (cents(spent.redeemed), spent.commission, spent.change, cents(spent.closing)) == ("60.00", 0, 0, "42.00")
    # All that is left is now expected to be used: 300 points more will be paid for.
    more = rolled((after, closing(after, WHOLE * 7 // 10, 0, price)), (after, closing(after, WHOLE, 0, price)), price)
    assert (cents(more.change), cents(more.closing)) == ("-18.00", "60.00")


def test_a13_the_curve_is_what_all_cohorts_of_an_age_did() -> None:
    triangle = {
        0: [Reached(1000, 100, 0), Reached(1000, 400, 0), Reached(1000, 500, 500)],
        1: [Reached(3000, 500, 0), Reached(3000, 1400, 0)],
        2: [Reached(500, 0, 0)],
    }
    assert curve(triangle, 2) == [Step(600, 0, 4500, 3), Step(1200, 0, 3400, 2)]
    assert curve(triangle, 1)[2] == Step(100, 500, 600, 1)
    assert curve(triangle, 4) == []


def test_a13_without_history_everything_is_expected_to_be_used() -> None:
    assert expected_use([], -1) == expected_use([], 5) == expected_use([], 5, 12) == WHOLE


def test_a13_expected_use_follows_the_curve_and_what_is_current_lies_within_a_year() -> None:
    monthly = [Step(10, 0, 100, 9)] * 24 + [Step(0, 100, 100, 9)]
    whole, year = expected_use(monthly, -1), expected_use(monthly, -1, 12)
    assert whole == round((1 - Fraction(9, 10) ** 24) * WHOLE)
    assert year == round((1 - Fraction(9, 10) ** 12) * WHOLE)
    sale = sold(2000, "2000", "170")
    closed = closing(sale, whole, year)
    assert closed.current == half_even(closed.deferred * year, whole)
    assert expected_use(monthly, 24) == WHOLE  # nobody knows what they do then
    assert expected_use(monthly, 23) == 0


MOVES = st.lists(
    st.tuples(st.sampled_from(["grant", "fund", "use", "exchange", "end", "take"]), st.integers(1, 900)), max_size=30
)


def moved(sums: Sums, what: str, points: int) -> Sums:
    """The same with some more of its points granted, used ... at seven thousandths a point."""
    price = 712_345
    if what in ("grant", "fund"):
        name = "value_sold" if what == "grant" else "value_funded"
        grown = {name: getattr(sums, name) + points * price, "granted": sums.granted + points}
        return replace(sums, **grown)
    points = min(points, sums.outstanding)
    names = {"use": ("redeemed", "value_redeemed"), "exchange": ("exchanged", "value_exchanged")}
    names |= {"end": ("expired", "value_ended"), "take": ("reversed", "value_taken_sold")}
    count, value = names[what]
    return replace(sums, **{count: getattr(sums, count) + points, value: getattr(sums, value) + points * price})


@settings(max_examples=60, deadline=None)
@given(MOVES, st.sets(st.integers(0, 30)), st.integers(0, WHOLE), st.integers(0, WHOLE), st.booleans())
def test_a13_any_cutting_of_a_history_into_months_earns_the_same(
    moves: list[tuple[str, int]], cuts: set[int], meanwhile: int, last: int, agent: bool
) -> None:
    payable = 500_000 if agent else None

    def revenue(months: set[int]) -> int:
        sums, ends = Sums(), [START]
        for place, (what, points) in enumerate(moves):
            sums = moved(sums, what, points)
            if place in months:
                ends.append((sums, closing(sums, meanwhile, 0, payable)))
        ends.append((sums, closing(sums, last, 0, payable)))
        rolls = [rolled(before, after, payable, meanwhile) for before, after in pairwise(ends)]
        for roll in rolls:
            into = roll.sold + roll.funded - roll.taken_sold - roll.taken_funded
            assert roll.opening + into - earned(roll) == roll.closing
        for _, end in ends:
            assert 0 <= end.current <= end.deferred
        return sum(earned(roll) for roll in rolls)

    assert revenue(cuts) == revenue(set())
