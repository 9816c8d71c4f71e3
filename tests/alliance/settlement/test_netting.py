"""How few payments settle a cycle, what they save, and that nothing is lost over many cycles (A6, A8)."""

import random
import uuid
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.settlement.rules import (
    PairTotal,
    Report,
    net_pairs,
    next_openings,
    owed,
    plan_payments,
    positions,
    report,
    saving,
)
from tests.alliance.settlement.test_rules import CENT, PARTIES, TWELVE, A, B, C, D, E, balanced, openings, owes, totals


def parties(*amounts: int) -> dict[uuid.UUID, int]:
    return {uuid.UUID(int=n): amount for n, amount in enumerate(amounts, start=1)}


few = st.lists(st.integers(-4, 4), min_size=1, max_size=6).map(lambda amounts: parties(*amounts, -sum(amounts)))


def test_a08_the_report_of_twelve_obligations():
    pairs = net_pairs(TWELVE, {}, CENT)
    plan = plan_payments(positions(pairs))
    found = report(pairs, plan)
    assert found == Report(
        gross=4_380 * CENT,
        bilateral=1_580,
        multilateral=580,
        obligations=12,
        debts=12,
        nets=8,
        payments=4,
        carried=0,
    )
    assert saving(found.gross, found.bilateral * CENT) == Decimal("63.93")
    assert saving(found.gross, found.multilateral * CENT) == Decimal("86.76")
    assert saving(0, 0) == 0


def test_a14_a_partys_report_is_of_its_own_pairs_and_payments():
    pairs = net_pairs(TWELVE, {}, CENT)
    plan = plan_payments(positions(pairs))
    own = report(pairs, plan, E)
    assert (own.gross, own.bilateral, own.multilateral) == (130 * CENT, 130, 30)
    assert (own.obligations, own.debts, own.nets, own.payments) == (2, 2, 2, 1)
    assert report(pairs, None, E).payments is None


def test_a08_payments_that_are_not_made_are_told_apart():
    pairs = net_pairs([owes(A, B, 5_000), owes(C, B, 400)], {}, CENT)
    found = report(pairs, plan_payments(positions(pairs), min_payment=1_000))
    assert (found.payments, found.carried) == (1, 400)


def test_a08_a_pair_owes_in_two_directions_in_one_or_not_at_all():
    both, one, undone, small, kept = (
        net_pairs(owing, opening, CENT)[0].debts
        for owing, opening in (
            ([owes(A, B, 3), owes(B, A, 2)], {}),
            ([owes(A, B, 3)], {}),
            ([PairTotal(A, B, 3 * CENT, -3 * CENT, 2)], {}),
            ([], {(A, B): CENT // 2}),
            ([], {(A, B): CENT}),
        )
    )
    assert (both, one, undone, small, kept) == (2, 1, 0, 0, 1)


def test_a08_positions_that_match_are_squared_with_each_other():
    plan = plan_payments(parties(-70, 100, -100, 70, 45, -45))
    assert len(plan) == 3
    plan = plan_payments(parties(-90, 50, 40, -60, 45, 15, -100, 100))
    assert len(plan) == 5


def test_a08_largest_first_is_kept_where_it_happens_to_do_better():
    amounts = parties(8, 5, -3, 1, -9, 2, 4, 7, -15)  # three groups, which some groups of three break up
    assert len(plan_payments(amounts)) == 6


def test_a08_positions_that_do_not_sum_to_zero_are_refused():
    with pytest.raises(ValueError, match="zero"):
        plan_payments(parties(1, -2))


def fewest(amounts: tuple[int, ...]) -> int:
    """As many payments as there are positions, less one for each group that sums to zero: by trying all groups."""
    if not amounts:
        return 0
    first, rest = amounts[0], amounts[1:]
    found = []
    for mask in range(1 << len(rest)):
        group = [amount for n, amount in enumerate(rest) if mask >> n & 1]
        if first + sum(group) == 0:
            found.append(len(group) + fewest(tuple(amount for n, amount in enumerate(rest) if not mask >> n & 1)))
    return min(found)


@given(few)
def test_a08_of_up_to_seven_positions_the_fewest_payments_are_found(net):
    assert len(plan_payments(net)) == fewest(tuple(amount for amount in net.values() if amount))


@given(balanced, st.randoms(use_true_random=False))
def test_a08_a_plan_does_not_depend_on_the_order(net: dict[uuid.UUID, int], chance: random.Random):
    shuffled = list(net.items())
    chance.shuffle(shuffled)
    assert plan_payments(dict(shuffled)) == plan_payments(net)


@given(balanced, st.integers(0, 10**9))
def test_a08_as_little_is_carried_as_can_be(net, minimum):
    plan = plan_payments(net, minimum)
    large = [amount for amount in net.values() if abs(amount) >= minimum]
    claims, debts = sum(a for a in large if a > 0), -sum(a for a in large if a < 0)
    assert sum(payment.amount for payment in plan if not payment.carried) == min(claims, debts)


@given(totals, openings)
def test_a08_each_way_to_settle_squares_the_same_positions(owing, opening):
    pairs = net_pairs(owing, opening, CENT)
    net = {party: amount for party, amount in positions(pairs).items() if amount}
    for debts in (owed(pairs), {(p.payer, p.payee): p.amount for p in plan_payments(net)}):
        squared = Counter()
        for (debtor, creditor), amount in debts.items():
            assert amount > 0
            squared[creditor] += amount
            squared[debtor] -= amount
        assert {party: amount for party, amount in squared.items() if amount} == net
    found = report(pairs, plan_payments(net))
    assert found.nets == len(owed(pairs)) <= found.debts
    assert found.bilateral == sum(owed(pairs).values())
    assert found.payments <= max(len(net) - 1, 0)


@given(st.lists(totals, min_size=2, max_size=8), st.integers(0, 10**9))
@settings(max_examples=40)
def test_a06_what_is_carried_is_never_lost_over_many_cycles(cycles, minimum):
    """Payments of all cycles and what the last one carries are what was owed, to the millionth."""
    owing, paid, opening = Counter(), Counter(), {}
    for lines in cycles:
        for total in lines:
            owing[total.creditor] += total.lines + total.adjustments
            owing[total.debtor] -= total.lines + total.adjustments
        pairs = net_pairs(lines, opening, CENT)
        assert sum(positions(pairs).values()) == 0
        plan = plan_payments(positions(pairs), minimum)
        for payment in plan:
            if not payment.carried:
                paid[payment.payee] += payment.amount * CENT
                paid[payment.payer] -= payment.amount * CENT
        opening = next_openings(pairs, plan, CENT)
    for (first, second), amount in opening.items():
        paid[first] += amount
        paid[second] -= amount
    assert {party: paid[party] for party in PARTIES} == {party: owing[party] for party in PARTIES}


def test_a08_a_small_position_is_carried_once_until_it_is_large_enough():
    opening, seen = {}, []
    for _ in range(4):
        pairs = net_pairs([owes(D, B, 400)], opening, CENT)
        plan = plan_payments(positions(pairs), min_payment=1_000)
        seen.append([(payment.amount, payment.carried) for payment in plan])
        opening = next_openings(pairs, plan, CENT)
    assert seen == [[(400, True)], [(800, True)], [(1_200, False)], [(400, True)]]
    assert opening == {(B, D): 400 * CENT}
