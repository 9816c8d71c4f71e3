"""A3 (a): round any loop of exchanges, the product of rates is at most 1."""

from datetime import date
from fractions import Fraction
from itertools import permutations
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alliance.file import FileErrors, parse
from alliance.file.agreement import Agreement
from alliance.file.money_machine import money_machines
from tests.alliance.file.alliances import SMALL

EXCHANGE = '{from: GRO, to: FUE, rate: "0.8", clearingValue: {amount: "0.008", currency: USD}}'

Rates = dict[tuple[str, str], int]


def agreement(source: str, target: str, tenths: int, since: date = date(2017, 1, 1), version: int = 1) -> Agreement:
    """An agreement on one exchange, at a rate in tenths, from points P`source` to P`target`."""
    exchange = {
        "from": f"P{source}",
        "to": f"P{target}",
        "rate": f"{tenths / 10:.1f}",
        "clearingValue": {"amount": "0.01", "currency": "USD"},
    }
    parties = sorted((source.lower(), target.lower()))
    return Agreement.model_validate({"merchants": parties, "version": version, "from": since, "exchange": [exchange]})


def test_a3_a_loop_that_gains_is_refused_by_name_and_place() -> None:
    back = EXCHANGE.replace("from: GRO, to: FUE", "from: FUE, to: GRO").replace("0.8", "1.26")
    with pytest.raises(FileErrors) as errors:
        parse(SMALL.replace(EXCHANGE, f"{EXCHANGE}, {back}"), "two.yaml")
    assert [(error.line, error.path, error.reason) for error in errors.value.errors] == [
        (
            17,
            "agreements[0].exchange[0].rate",
            "a money machine: from 2017-01-01, FUE -> GRO -> FUE turns 1 point into 1.008",
        )
    ]


def test_a3_a_loop_that_gives_back_what_was_put_in_is_fine() -> None:
    back = EXCHANGE.replace("from: GRO, to: FUE", "from: FUE, to: GRO").replace("0.8", "1.25")
    parse(SMALL.replace(EXCHANGE, f"{EXCHANGE}, {back}"), "two.yaml")


def test_a3_a_only_rates_in_force_at_the_same_time_make_a_loop() -> None:
    there = [agreement("A", "B", 20), agreement("A", "B", 5, date(2018, 1, 1), version=2)]
    back = [agreement("B", "C", 10), agreement("C", "A", 10, date(2018, 1, 1))]
    assert money_machines([*there, *back]) == []
    (machine,) = money_machines([*there[:1], *back])
    assert str(machine) == "a money machine: from 2018-01-01, PA -> PB -> PC -> PA turns 1 point into 2"


rates = st.dictionaries(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")).filter(lambda edge: edge[0] < edge[1]),
    st.tuples(st.integers(1, 20), st.booleans()),
    max_size=10,
)


@given(rates)
def test_a3_a_as_found_by_trying_every_loop(pairs: dict[tuple[str, str], tuple[int, bool]]) -> None:
    edges = {(b, a) if turned else (a, b): tenths for (a, b), (tenths, turned) in pairs.items()}
    machines = money_machines(agreement(source, target, tenths) for (source, target), tenths in edges.items())
    assert bool(machines) == any(product > 1 for product in products(edges))
    for machine in machines:
        ends = [(exchange.from_[1], exchange.to[1]) for exchange in machine.exchanges]
        assert [source for source, _ in ends[1:] + ends[:1]] == [target for _, target in ends]
        assert machine.product == prod(Fraction(edges[end], 10) for end in ends) > 1


def products(edges: Rates) -> list[Fraction]:
    """The product of rates round each loop."""
    found = []
    for size in range(2, 6):
        for loop in permutations("ABCDE", size):
            steps = list(zip(loop, loop[1:] + loop[:1], strict=True))
            if all(step in edges for step in steps):
                found.append(prod((Fraction(edges[step], 10) for step in steps), start=Fraction(1)))
    return found
