"""A3: what agreements may not say together, at whatever dates, and who is told how much of it."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.file import parse
from alliance.file.agreement import Agreement
from alliance.file.changes import Plan, compare
from alliance.file.money_machine import money_machines
from alliance.file.round_trips import round_trips
from alliance.file.soundness import breaches
from alliance.file.subsidies import losing_round, underpriced
from tests.alliance.file.alliances import SMALL
from tests.alliance.file.test_money_machine import products

DAY = date(2017, 1, 1)
OWNERS = {f"P{letter}": letter.lower() for letter in "ABCD"}


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def agreed(pair: str, since: date = DAY, version: int = 1, **terms: Any) -> Agreement:
    """A version between two merchants of one letter each, such as `AB`."""
    values = {"merchants": [*pair.lower()], "version": version, "from": since, **terms}
    return Agreement.model_validate(values)


def swap(source: str, target: str, rate: str = "1", value: str = "0.01") -> dict[str, Any]:
    return {"from": f"P{source}", "to": f"P{target}", "rate": rate, "clearingValue": money(value)}


def earn(at: str, of: str, price: str, share: str = "1") -> dict[str, Any]:
    return {"at": at.lower(), "of": f"P{of}", "issuePrice": money(price), "share": share}


def redeem(at: str, of: str, price: str) -> dict[str, Any]:
    return {"at": at.lower(), "of": f"P{of}", "redemptionPrice": money(price)}


def planned(text: str) -> Plan:
    file = parse(text, "two.yaml")
    return compare(None, file.document, datetime(2017, 1, 1, tzinfo=UTC), file.line_of)


CHEAP = SMALL + '    earn: [{at: fuel, of: GRO, issuePrice: {amount: "0.01", currency: USD}, share: "0.5"}]\n'


def test_a3_c_points_issued_for_less_than_is_paid_for_them_are_refused() -> None:
    """A share of 0.5 of 0.010 is 0.005, and fuel is paid 0.009: 100 points granted and spent there bring it 0.40."""
    (refused,) = [change for change in planned(CHEAP).changes if change.action == "refuse"]
    assert (refused.name, refused.version, refused.line) == ("fuel/grocer", 1, 14)
    assert refused.reason == (
        "from 2017-01-01, GRO is issued at fuel for 0.005 a point, and paid for at fuel with 0.009:"
        " which needs a subsidy with a budget in the agreement that issues it"
    )


def test_a3_c_a_subsidy_with_a_budget_is_accepted() -> None:
    plan = planned(CHEAP + '    subsidies: [{of: GRO, budget: {amount: "500.00", currency: USD}}]\n')
    assert not plan.refused


def test_a3_c_the_price_of_an_issue_by_exchange_is_what_it_brings_a_point() -> None:
    """PB comes for 0.008 / 0.8 = 0.010 a point: it may cost its issuer 0.010 elsewhere, and no more."""
    into = agreed("AB", exchange=[swap("A", "B", "0.8", "0.008")])
    assert underpriced([into, agreed("BC", redeem=[redeem("C", "B", "0.010")])]) == []
    (breach,) = underpriced([into, agreed("BC", redeem=[redeem("C", "B", "0.0101")])])
    assert "issued in exchange for PA for 0.01 a point, and paid for at c with 0.0101" in str(breach)


def test_a3_c_a14_each_merchant_is_told_its_own_prices_only() -> None:
    (breach,) = underpriced(
        [agreed("AB", earn=[earn("A", "B", "0.008")]), agreed("BC", redeem=[redeem("C", "B", "0.009")])]
    )
    told = {merchant: breach.told(merchant) for merchant in "abc"}
    assert {merchant: ("0.008" in text, "0.009" in text) for merchant, text in told.items()} == {
        "a": (True, False),
        "b": (True, True),
        "c": (False, True),
    }
    assert " at c " not in told["a"]
    assert " at a " not in told["c"]


def test_a3_a_a14_of_a_loop_each_merchant_is_told_its_own_exchanges_only() -> None:
    (machine,) = money_machines(
        [
            agreed("AB", exchange=[swap("A", "B", "2")]),
            agreed("BC", exchange=[swap("B", "C", "3")]),
            agreed("CA", exchange=[swap("C", "A")]),
        ]
    )
    assert machine.told(None) == "a money machine: from 2017-01-01, PA -> PB -> PC -> PA turns 1 point into 6"
    mine = "PA -> PB, PC -> PA and exchanges of others turn 1 point into more than 1"
    assert machine.told("a") == f"a money machine: from 2017-01-01, {mine}"


def test_a3_a_version_of_the_future_is_held_against_the_others_of_its_days() -> None:
    future = DAY + timedelta(days=400)
    there = [agreed("AB", exchange=[swap("A", "B", "0.5")]), agreed("AB", future, 2, exchange=[swap("A", "B", "1.5")])]
    back = [agreed("BC", exchange=[swap("B", "C", "1")]), agreed("CA", exchange=[swap("C", "A", "1")])]
    assert money_machines([there[0], *back]) == []
    (machine,) = money_machines([*there, *back])
    assert str(machine).startswith("a money machine: from 2018-02-05, PA -> PB -> PC -> PA")
    assert money_machines([*there, *back, agreed("CA", future, 2)]) == []


def test_a3_what_was_let_through_before_is_not_refused_again() -> None:
    cheap = [agreed("AB", earn=[earn("A", "B", "0.008")]), agreed("BC", redeem=[redeem("C", "B", "0.009")])]
    more = agreed("AC", redeem=[redeem("A", "C", "0.01")])
    assert breaches(cheap, [*cheap, more], "0") == []
    (worse,) = breaches(cheap, [*cheap, agreed("AB", DAY + timedelta(days=1), 2, earn=[earn("A", "B", "0.007")])], "0")
    assert "for 0.007 a point" in str(worse)


def test_a3_d_what_a_round_trip_moves() -> None:
    """The sample's agreement: 1,000 GRO are 800 FUE for 8.00, and these are 800 GRO for 8.00; 200 points are gone."""
    both = agreed("AB", exchange=[swap("A", "B", "0.8", "0.008"), swap("B", "A", "1.0", "0.010")])
    (trip,) = round_trips([both], [both], OWNERS)
    assert str(trip) == (
        "1,000 points round PA -> PB -> PA: a owes b 8.00, b owes a 8.00; 800 come back; net a 0.00, b 0.00"
    )
    assert round_trips([both], [], OWNERS) == []


def test_a3_d_a14_a_loop_is_shown_to_whom_all_its_exchanges_are() -> None:
    both = agreed("AB", exchange=[swap("A", "B"), swap("B", "A")])
    rest = [agreed("BC", exchange=[swap("B", "C")]), agreed("CA", exchange=[swap("C", "A")])]
    trips = round_trips([both, *rest], [both], OWNERS)
    assert {trip.currencies: [who for who in (None, "a", "b", "c") if trip.all_of(who)] for trip in trips} == {
        ("PA", "PB"): [None, "a", "b"],
        ("PA", "PB", "PC"): [None],
    }


def lossy(per_round_trip: str | None = None) -> list[Agreement]:
    """B gets 0.009 for each point of its own that comes, and pays 0.010 for each that goes on."""
    accepted = {} if per_round_trip is None else {"perRoundTrip": money(per_round_trip)}
    subsidy = {"of": "PB", "budget": money("100"), **accepted}
    return [
        agreed("AB", exchange=[swap("A", "B", "1", "0.009")], subsidies=[subsidy]),
        agreed("BC", exchange=[swap("B", "C", "1", "0.010")]),
    ]


def test_a3_d_who_loses_past_the_tolerance_has_to_accept_it() -> None:
    """On 1,000 points B loses 1.00 of 9.00: within a tolerance of a ninth, or accepted as 1.00."""
    closing = agreed("CA", exchange=[swap("C", "A", "1", "0.010")])
    assert losing_round(lossy(), Fraction(0)) == []
    (loses,) = losing_round([*lossy(), closing], Fraction("0.11"))
    assert (loses.currency, loses.loss) == ("PB", 1)
    assert "of 1,000 PB that come from PA and go on to PC, round a loop, their issuer loses 1:" in loses.told("b")
    assert "PC" not in loses.told("a")
    assert "PA" not in loses.told("c")
    assert losing_round([*lossy(), closing], Fraction(1, 9)) == []
    assert losing_round([*lossy("1.00"), closing], Fraction(0)) == []
    assert losing_round([*lossy("0.99"), closing], Fraction(0)) != []


terms = st.tuples(
    st.sampled_from(["AB", "AC", "AD", "BC", "BD", "CD"]),
    st.booleans(),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(0, 3),
)


def made(drawn: list[tuple[str, bool, int, int, int]]) -> list[Agreement]:
    """Versions of one exchange each, that begin on one of four days."""
    versions: dict[tuple[str, int], Agreement] = {}
    for pair, turned, tenths, value, day in drawn:
        ends = (pair[1], pair[0]) if turned else (pair[0], pair[1])
        exchange = [swap(*ends, f"{tenths / 10}", f"{value / 1000}")]
        versions[pair, day] = agreed(pair, DAY + timedelta(days=day), day + 1, exchange=exchange)
    return [*versions.values()]


def in_force(agreements: list[Agreement], day: date) -> list[Agreement]:
    """The slow way: of each pair the newest version that has begun."""
    newest: dict[tuple[str, ...], Agreement] = {}
    for agreement in sorted(agreements, key=lambda item: item.from_):
        if agreement.from_ <= day:
            newest[tuple(sorted(agreement.merchants))] = agreement
    return [*newest.values()]


@settings(max_examples=40)
@given(st.lists(terms, max_size=8))
def test_a3_a_as_found_by_trying_every_loop_on_every_day(drawn: list[tuple[str, bool, int, int, int]]) -> None:
    agreements = made(drawn)
    gaining = False
    for day in range(4):
        edges = {
            (item.from_[1], item.to[1]): round(Fraction(item.rate) * 10)
            for agreement in in_force(agreements, DAY + timedelta(days=day))
            for item in agreement.exchange
        }
        gaining = gaining or any(worth > 1 for worth in products(edges))
    assert bool(money_machines(agreements)) == gaining


@settings(max_examples=40)
@given(st.lists(terms, max_size=8))
def test_a3_d_who_loses_is_found_by_following_every_way(drawn: list[tuple[str, bool, int, int, int]]) -> None:
    """Whatever comes in from X and goes on to Y, where some way leads from Y back to X."""
    agreements, expected = made(drawn), set()
    for day in range(4):
        swaps = [item for terms in in_force(agreements, DAY + timedelta(days=day)) for item in terms.exchange]
        for came, went in product(swaps, swaps):
            gets = Fraction(came.clearing_value.amount) / Fraction(came.rate)
            loses = Fraction(went.clearing_value.amount) - gets
            if came.to == went.from_ and loses > gets / 10 and came.from_ in reached(swaps, went.to):
                expected.add(came.to)
    assert {loses.currency for loses in losing_round(agreements, Fraction(1, 10))} == expected


def reached(swaps: list[Any], start: str) -> set[str]:
    """Every currency that some way of exchanges leads to."""
    known = {start}
    for _ in range(4):
        known |= {item.to for item in swaps if item.from_ in known}
    return known
