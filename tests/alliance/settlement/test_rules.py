"""Netting as arithmetic: worked vectors of A6 and A8, and what holds whatever the obligations are."""

import random
import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from alliance.settlement.rules import (
    PairTotal,
    net_pairs,
    next_openings,
    pair_of,
    plan_payments,
    positions,
    report,
)
from domain.money import half_even

CENT = 10_000
A, B, C, D, E, OPERATOR = (uuid.UUID(int=n) for n in range(1, 7))
PARTIES = [A, B, C, D, E, OPERATOR]


def owes(debtor: uuid.UUID, creditor: uuid.UUID, cents: int) -> PairTotal:
    return PairTotal(debtor, creditor, cents * CENT)


TWELVE = [
    owes(A, B, 900),
    owes(B, A, 700),
    owes(A, C, 300),
    owes(C, A, 500),
    owes(B, C, 400),
    owes(C, B, 250),
    owes(D, A, 100),
    owes(B, D, 350),
    owes(C, D, 150),
    owes(D, C, 600),
    owes(E, A, 50),
    owes(D, E, 80),
]

totals = st.lists(
    st.builds(
        PairTotal,
        debtor=st.sampled_from(PARTIES),
        creditor=st.sampled_from(PARTIES),
        lines=st.integers(-(10**12), 10**12),
        adjustments=st.integers(-(10**12), 10**12),
    ).filter(lambda total: total.debtor != total.creditor),
    max_size=30,
)
openings = st.dictionaries(
    st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(lambda pair: pair[0] < pair[1]),
    st.integers(-(10**9), 10**9),
    max_size=6,
)
balanced = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12).map(
    lambda amounts: {uuid.UUID(int=n): amount for n, amount in enumerate([*amounts, -sum(amounts)], start=1)}
)


def test_a08_twelve_obligations_of_five_merchants():
    pairs = net_pairs(TWELVE, {}, CENT)
    found = report(pairs)
    assert (found.gross, found.bilateral, found.multilateral) == (4_380 * CENT, 1_580, 580)
    assert len(pairs) == 8
    assert positions(pairs) == {A: 150, B: -300, C: 400, D: -280, E: 30}
    assert len(plan_payments(positions(pairs))) <= 4


def test_a08_a_ring_nets_to_nothing():
    pairs = net_pairs([owes(A, B, 100), owes(B, C, 100), owes(C, A, 100)], {}, CENT)
    assert set(positions(pairs).values()) == {0}
    assert plan_payments(positions(pairs)) == []


def test_a08_published_triangle():
    pairs = net_pairs([owes(A, B, 200), owes(B, C, 150), owes(C, A, 175)], {}, CENT)
    assert positions(pairs) == {A: -25, B: 50, C: -25}


def test_a08_a_position_under_the_minimum_is_carried():
    pairs = net_pairs([owes(A, B, 5_000), owes(C, B, 400)], {}, CENT)
    payments = plan_payments(positions(pairs), min_payment=1_000)
    assert [(p.payer, p.payee, p.amount, p.carried) for p in payments] == [(A, B, 5_000, False), (C, B, 400, True)]
    opening = next_openings(pairs, payments, CENT)
    assert opening == {(B, C): 400 * CENT}
    later = net_pairs([owes(C, B, 700)], opening, CENT)
    assert positions(later) == {B: 1_100, C: -1_100}


def test_a06_a_thousand_spends_of_33_points_are_280_50():
    each = 33 * 8_500
    [pair] = net_pairs([PairTotal(A, B, 1_000 * each, count=1_000)], {}, CENT)
    assert (pair.net, pair.carried) == (-28_050, 0)


def test_a06_rounding_is_half_even_once_a_pair_and_its_rest_is_carried():
    [pair] = net_pairs([PairTotal(B, A, 25_000)], {}, CENT)
    assert (pair.net, pair.carried) == (2, 5_000)
    [later] = net_pairs([PairTotal(B, A, 10_000)], next_openings([pair], [], CENT), CENT)
    assert (later.opening, later.closing, later.net, later.carried) == (5_000, 15_000, 2, -5_000)
    [last] = net_pairs([], next_openings([later], [], CENT), CENT)
    assert (last.closing, last.net, last.carried) == (-5_000, 0, -5_000)
    assert pair.net + later.net + last.net == 4


def test_a06_half_even_goes_to_the_even_neighbour_on_both_sides_of_zero():
    assert [half_even(n, 10) for n in (5, 15, 25, -5, -15, 14, 16, -14, -16)] == [0, 2, 2, 0, -2, 1, 2, -1, -2]


def test_a09_a_reversal_is_an_adjustment_not_a_line():
    [pair] = net_pairs([PairTotal(B, A, lines=9 * CENT, adjustments=-4 * CENT, count=2)], {}, CENT)
    assert (pair.lines, pair.adjustments, pair.closing, pair.net) == (9 * CENT, -4 * CENT, 5 * CENT, 5)


@given(totals, openings)
def test_a06_positions_sum_to_zero_and_are_the_sum_of_bilateral_nets(owed, opening):
    pairs = net_pairs(owed, opening, CENT)
    net = positions(pairs)
    assert sum(net.values()) == 0
    for party in net:
        assert net[party] == sum(p.net if p.first == party else -p.net for p in pairs if party in (p.first, p.second))


@given(totals, openings)
def test_a06_nothing_is_lost_between_a_cycle_and_the_next(owed, opening):
    pairs = net_pairs(owed, opening, CENT)
    payments = plan_payments(positions(pairs), min_payment=10**6)
    carried = next_openings(pairs, payments, CENT)
    claim, rest = Counter(), Counter()
    for pair in pairs:
        claim[pair.first] += pair.closing
        claim[pair.second] -= pair.closing
    for (first, second), amount in carried.items():
        rest[first] += amount
        rest[second] -= amount
    for payment in payments:
        if not payment.carried:
            rest[payment.payee] += payment.amount * CENT
            rest[payment.payer] -= payment.amount * CENT
    assert {k: v for k, v in claim.items() if v} == {k: v for k, v in rest.items() if v}


@given(totals, openings)
def test_a08_multilateral_at_most_bilateral_at_most_gross(owed, opening):
    pairs = net_pairs(owed, opening, CENT)
    saved = report(pairs)
    assert saved.multilateral <= saved.bilateral
    rounding = len(pairs) * CENT // 2
    assert saved.bilateral * CENT <= saved.gross + rounding


@given(totals, st.randoms(use_true_random=False))
def test_a08_order_does_not_matter(owed: list[PairTotal], chance: random.Random):
    shuffled = owed[:]
    chance.shuffle(shuffled)
    assert net_pairs(shuffled, {}, CENT) == net_pairs(owed, {}, CENT)


@given(totals)
def test_a08_netting_twice_changes_nothing(owed):
    once = positions(net_pairs(owed, {}, CENT))
    bilateral = [owes(p.second, p.first, p.net) for p in net_pairs(owed, {}, CENT)]
    assert positions(net_pairs(bilateral, {}, CENT)) == once
    payments = [owes(p.payer, p.payee, p.amount) for p in plan_payments(once)]
    assert {k: v for k, v in positions(net_pairs(payments, {}, CENT)).items() if v} == {
        k: v for k, v in once.items() if v
    }


@given(totals, st.permutations(PARTIES), st.integers(2, 6), st.integers(1, 10**9))
def test_a08_a_balanced_loop_changes_no_position(owed, order, length, cents):
    loop = order[:length]
    extra = [owes(debtor, creditor, cents) for debtor, creditor in zip(loop, loop[1:] + loop[:1], strict=True)]
    before = positions(net_pairs(owed, {}, CENT))
    after = positions(net_pairs([*owed, *extra], {}, CENT))
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


@given(balanced, st.integers(0, 10**6))
def test_a08_at_most_n_less_one_payments_and_all_are_squared(net, minimum):
    payments = plan_payments(net, minimum)
    open_positions = [party for party in net if net[party]]
    assert len(payments) <= max(len(open_positions) - 1, 0)
    left = Counter(net)
    for payment in payments:
        assert payment.amount > 0
        left[payment.payer] += payment.amount
        left[payment.payee] -= payment.amount
        small = min(-net[payment.payer], net[payment.payee]) < minimum
        assert payment.carried == small
    assert not any(left.values())


def test_pairs_are_kept_in_one_order():
    assert pair_of(B, A) == pair_of(A, B) == (A, B)
