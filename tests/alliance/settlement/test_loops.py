"""Cancelling loops of debts: as much as can be, and nobody's position or partners change."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from alliance.settlement.loops import Debt, cancel_loops
from alliance.settlement.rules import net_pairs, owed, positions
from tests.alliance.settlement.test_rules import CENT, PARTIES, TWELVE, A, B, C, D, E

debts = st.dictionaries(
    st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(lambda debt: debt[0] != debt[1]),
    st.integers(1, 20),
    max_size=20,
)


def balances(owing: Mapping[Debt, int]) -> dict:
    found = Counter()
    for (debtor, creditor), amount in owing.items():
        found[creditor] += amount
        found[debtor] -= amount
    return {party: amount for party, amount in found.items() if amount}


def test_a_ring_is_cancelled_whole():
    assert cancel_loops({(A, B): 100, (B, C): 100, (C, A): 100}) == {}


def test_the_least_of_a_loop_is_struck_off_each():
    assert cancel_loops({(A, B): 200, (B, C): 150, (C, A): 175}) == {(A, B): 50, (C, A): 25}


def test_of_two_loops_the_one_that_cancels_more_is_taken():
    # A to B is in a loop of three and in one of four.
    found = cancel_loops({(A, B): 10, (B, C): 10, (C, A): 10, (B, D): 10, (D, E): 10, (E, A): 10})
    assert found == {(B, C): 10, (C, A): 10}


def test_nothing_is_cancelled_where_there_is_no_loop():
    owing = {(A, B): 3, (A, C): 4, (B, C): 5}
    assert cancel_loops(owing) == owing


def test_twelve_obligations_of_five():
    pairs = net_pairs(TWELVE, {}, CENT)
    left = cancel_loops(owed(pairs))
    assert balances(left) == positions(pairs)
    assert 580 <= sum(left.values()) <= 1_580
    assert cancel_loops(left) == left


@given(debts)
def test_positions_stay_and_no_debt_grows(owing):
    left = cancel_loops(owing)
    assert balances(left) == balances(owing)
    assert all(0 < amount <= owing[debt] for debt, amount in left.items())


@given(debts)
def test_no_more_could_be_cancelled(owing):
    """By the test of Klein: what can still be struck off or put back forms no loop that would lessen the whole."""
    left = cancel_loops(owing)
    arcs = [
        (debtor, creditor, 1) for (debtor, creditor), room in owing.items() if left.get((debtor, creditor), 0) < room
    ]
    arcs += [(creditor, debtor, -1) for debtor, creditor in left]
    distance = dict.fromkeys(PARTIES, 0)
    for _ in PARTIES:
        changed = False
        for source, target, cost in arcs:
            if distance[source] + cost < distance[target]:
                distance[target] = distance[source] + cost
                changed = True
    assert not changed
