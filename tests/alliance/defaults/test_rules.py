"""The waterfall of a default (A12): the worked figures, and a slow reference on random alliances."""

import uuid
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.defaults.rules import Held, Waterfall, cover, evened, repaid, waterfall

A, B, C, D, E = (uuid.UUID(int=number) for number in range(1, 6))
LOSSES = {A: 2_857, C: 12_857, E: 2_286}


def test_a12_worked_figures() -> None:
    """A +150, B -300, C +400, D -280, E +30: D owes A 100, C 450, E 80, and is owed 350 by B."""
    nets = {A: 10_000, C: 45_000, E: 8_000, B: -35_000}
    found = waterfall(28_000, nets, Held(collateral=10_000))
    assert found.losses == LOSSES
    assert (found.debts, found.claims, found.received, found.missing) == (63_000, 35_000, 0, 28_000)
    assert (found.collateral, found.own_fund, found.fund, found.loss) == (10_000, 0, {}, 18_000)


def test_a12_the_order() -> None:
    """Its own fund before the others'; these in proportion, to the cent; survivors for what is left."""
    held = Held(collateral=10_000, own_fund=3_000, fund={A: 3_000, B: 1_500, C: 4_500})
    found = waterfall(28_000, {A: 10_000, C: 45_000, E: 8_000, B: -35_000}, held)
    assert (found.collateral, found.own_fund, found.fund) == (10_000, 3_000, {A: 3_000, B: 1_500, C: 4_500})
    assert found.loss == 6_000
    found = waterfall(13_100, {A: 20_000, B: -6_900}, held)
    assert (found.own_fund, found.fund, found.losses) == (3_000, {A: 33, B: 17, C: 50}, {})
    with pytest.raises(ValueError, match="is missing of"):
        waterfall(13_101, {A: 20_000, B: -6_900}, held)


def test_a12_what_is_covered_goes_where_least_is_evened_out() -> None:
    unpaid = cover([(C, 28_000)], 10_000, LOSSES)
    assert [(one.payee, one.covered) for one in unpaid] == [(C, 10_000)]
    assert sorted(evened({C: 18_000}, LOSSES)) == [(A, C, 2_857), (E, C, 2_286)]
    unpaid = cover([(C, 20_000), (A, 8_000)], 10_000, LOSSES)
    assert [(one.payee, one.covered) for one in unpaid] == [(C, 7_143), (A, 2_857)]
    assert evened({C: 12_857, A: 5_143}, LOSSES) == [(E, A, 2_286)]


def test_a12_a_recovery_goes_the_other_way() -> None:
    pots = [LOSSES, {A: 100}, {D: 50}, {D: 5}]
    assert repaid(9_000, pots) == ([{A: 1_429, C: 6_428, E: 1_143}, {}, {}, {}], 0)
    assert repaid(18_160, pots) == (pots, 5)


@st.composite
def alliances(draw: st.DrawFn) -> tuple[int, dict[uuid.UUID, int], Held]:
    """A defaulter that owes more than it is owed, with what it has deposited and the others have in the fund."""
    others = [uuid.UUID(int=n) for n in range(1, draw(st.integers(2, 7)))]
    nets = {party: draw(st.integers(-300, 500)) for party in others}
    nets[others[0]] += max(0, -sum(nets.values()))
    missing = draw(st.integers(0, sum(nets.values())))
    fund = {party: draw(st.integers(0, 60)) for party in draw(st.lists(st.sampled_from(others), unique=True))}
    return missing, nets, Held(draw(st.integers(0, 200)), draw(st.integers(0, 60)), fund)


def reference(missing: int, nets: dict[uuid.UUID, int], held: Held) -> Waterfall:
    """Cent by cent: each is taken where the next one in order still has some; of many, where most is lacking."""
    claims = {party: amount for party, amount in nets.items() if amount > 0}

    def of_many(total: int, weights: dict[uuid.UUID, int]) -> dict[uuid.UUID, int]:
        parts = dict.fromkeys(sorted(weights), 0)
        fair = {party: Fraction(total * weight, sum(weights.values()) or 1) for party, weight in weights.items()}
        for _ in range(total):
            first = max(parts, key=lambda party: (min(fair[party] - parts[party], 1), -party.int))
            parts[first] += 1
        return {party: amount for party, amount in parts.items() if amount}

    pots = [held.collateral, held.own_fund, sum((held.fund or {}).values())]
    taken = [0, 0, 0]
    left = missing
    for pot, size in enumerate(pots):
        while left and taken[pot] < size:
            taken[pot] += 1
            left -= 1
    debts, others = sum(claims.values()), -sum(amount for amount in nets.values() if amount < 0)
    fund, losses = of_many(taken[2], dict(held.fund or {})), of_many(left, claims)
    return Waterfall(debts, others, debts - others - missing, missing, taken[0], taken[1], fund, losses)


@settings(max_examples=60, deadline=None)
@given(alliances())
def test_a12_the_waterfall_is_that_of_a_slow_reference(alliance: tuple[int, dict[uuid.UUID, int], Held]) -> None:
    """All of it is borne, by nobody more than its claim, nothing before its turn; and all of it comes back."""
    missing, nets, held = alliance
    found = waterfall(missing, nets, held)
    assert found == reference(missing, nets, held)
    assert found.covered + found.loss == missing
    assert all(0 < loss <= nets[party] for party, loss in found.losses.items())
    assert not found.losses or (found.collateral, found.own_fund) == (held.collateral, held.own_fund)
    assert not (found.losses or found.fund) or found.own_fund == held.own_fund
    pots = [found.losses, found.fund, {D: found.own_fund} if found.own_fund else {}]
    assert repaid(missing + 7 - found.collateral, pots) == (pots, 7)


@settings(max_examples=60, deadline=None)
@given(alliances(), st.data())
def test_a12_everybody_bears_its_loss_whoever_went_unpaid(
    alliance: tuple[int, dict[uuid.UUID, int], Held], data: st.DataObject
) -> None:
    missing, nets, held = alliance
    found = waterfall(missing, nets, held)
    payments, left = [], missing
    for party in sorted(nets):
        amount = data.draw(st.integers(0, left))
        payments += [(party, amount)] if amount else []
        left -= amount
    payments += [(min(nets), left)] if left else []
    unpaid = cover(payments, found.covered, found.losses)
    assert sum(one.covered for one in unpaid) == found.covered
    bears: dict[uuid.UUID, int] = {}
    for one in unpaid:
        bears[one.payee] = bears.get(one.payee, 0) + one.amount - one.covered
    for debtor, creditor, amount in evened(dict(bears), found.losses):
        bears[debtor] = bears.get(debtor, 0) + amount
        bears[creditor] -= amount
    assert {party: loss for party, loss in bears.items() if loss} == found.losses
