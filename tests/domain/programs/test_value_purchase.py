"""What a purchase earns: R8 (base and rounding), R10 (which rule), R12 (by the rules of its time)."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.money import MAX_INTEGER
from domain.programs.catalogue import Merchant
from domain.programs.earning import ROUND, EarningRule, compile_earning
from domain.programs.rules import Line, Tender, Valued, value_purchase

START = datetime(2017, 1, 1, tzinfo=UTC)
NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)


def rule(code: str = "base", **terms: Any) -> EarningRule:
    """A rule; by default a point a dollar, floored by order, since 2017."""
    defaults: dict[str, Any] = {
        "version": 1,
        "currency": "GRO",
        "valid_from": START,
        "valid_to": None,
        "rate": Fraction(1, 100),
        "money": "USD",
        "multiplier": None,
        "rounding": ("floor", "order"),
        "priority": 0,
        "stacks": False,
        "categories": None,
        "excluded": frozenset(),
    }
    return EarningRule(code=code, **(defaults | terms))


def times(code: str, multiplier: int | Fraction, **terms: Any) -> EarningRule:
    """A rule that multiplies; rounds as the rules that it multiplies."""
    defaults = {"rate": None, "money": None, "multiplier": Fraction(multiplier), "rounding": None}
    return rule(code, **(defaults | terms))


def house(*rules: EarningRule) -> Merchant:
    """A merchant with these rules."""
    return Merchant(
        id=uuid.UUID(int=1),
        code="grocer",
        name="Grocer",
        jurisdiction="US-OH",
        timezone=ZoneInfo("America/New_York"),
        enrol_on_purchase=True,
        clawback="never_below_zero",
        on_return="reevaluate",
        unique_orders=False,
        credit_limit=0,
        collateral=0,
        stores=MappingProxyType({}),
        currencies=("GRO",),
        default_currency="GRO",
        earning=compile_earning(rules),
    )


def earned(
    rules: Sequence[EarningRule],
    lines: Sequence[Line],
    tenders: Sequence[Tender] = (),
    at: datetime = NOON,
    money: str = "USD",
) -> Valued:
    """What these lines earn by these rules."""
    return value_purchase(house(*rules), "GRO", money, lines, tenders, at)


def by_rule(valued: Valued) -> dict[str, int]:
    """Points by rule."""
    return {decision["rule"]: decision["points"] for decision in valued.decisions}


@pytest.mark.parametrize(("scope", "points"), [("line", 0), ("order", 2)])
def test_r08_three_items_of_ninety_cents(scope: str, points: int) -> None:
    valued = earned([rule(rounding=("floor", scope))], [(90, None)] * 3)
    assert valued.points == points
    assert sum(valued.lines) == points


def test_r08_what_was_paid_in_points_earns_nothing() -> None:
    assert earned([rule()], [(100_00, None)], [("POINTS", 20_00), ("MONEY", 80_00)]).points == 80


@pytest.mark.parametrize(
    ("tenders", "points"),
    [
        ([], 100),
        ([("MONEY", 100_00)], 100),
        ([("COUPON", 10_00), ("MONEY", 90_00)], 90),
        ([("STORED_VALUE", 50_00), ("MONEY", 50_00)], 100),
        ([("POINTS", 100_00)], 0),
        ([("POINTS", 120_00)], 0),
        ([("POINTS", 20_00), ("MONEY", 88_00)], 80),
        ([("MONEY", 60_00)], 60),
    ],
)
def test_r08_base_is_what_was_paid_in_money(tenders: list[Tender], points: int) -> None:
    assert earned([rule()], [(100_00, None)], tenders).points == points


def test_r08_money_is_shared_over_the_lines_that_count() -> None:
    only_wine = rule(categories=frozenset({"WINE"}))
    valued = earned([only_wine], [(60_00, "WINE"), (40_00, "BREAD")], [("POINTS", 20_00), ("MONEY", 80_00)])
    assert (valued.points, valued.lines) == (48, [48, 0])


def test_r08_order_rounding_shares_by_largest_remainder_then_in_order() -> None:
    assert earned([rule()], [(160, None), (190, None), (150, None)]).lines == [2, 2, 1]
    assert earned([rule()], [(150, None), (150, None)]).lines == [2, 1]


@pytest.mark.parametrize(
    ("mode", "points"),
    [("floor", [0, 0, 1, 2]), ("half_up", [0, 1, 2, 3]), ("half_even", [0, 0, 2, 2]), ("ceiling", [1, 1, 2, 3])],
)
def test_r08_rounding_modes(mode: str, points: list[int]) -> None:
    lines = [(40, None), (50, None), (150, None), (250, None)]
    assert earned([rule(rounding=(mode, "line"))], lines).lines == points


def test_r08_excluded_categories_earn_nothing() -> None:
    rules = [rule(excluded=frozenset({"GIFT_CARD"})), times("double", 2)]
    valued = earned(rules, [(50_00, "GIFT_CARD"), (10_00, "BREAD"), (5_00, None)])
    assert valued.lines == [0, 20, 10]
    assert by_rule(valued) == {"base": 15, "double": 15}


def test_r08_a_rule_may_name_the_price_as_its_base() -> None:
    """100 paid as 20 in points and 80 in money: 80 for what was paid, 100 for what it cost."""
    paid = [("POINTS", 20_00), ("MONEY", 80_00)]
    both = [rule(stacks=True), rule("whole", by_price=True, stacks=True)]
    valued = earned(both, [(60_00, None), (40_00, None)], paid)
    assert (by_rule(valued), valued.lines) == ({"base": 80, "whole": 100}, [108, 72])


def test_r08_tax_delivery_and_gift_cards_are_stated() -> None:
    stated = rule(excluded=frozenset({"TAX", "DELIVERY", "GIFT_CARD"}))
    lines = [(50_00, "BREAD"), (4_00, "TAX"), (6_00, "DELIVERY"), (40_00, "GIFT_CARD")]
    assert earned([stated], lines).lines == [50, 0, 0, 0]
    assert earned([stated], lines, [("POINTS", 20_00), ("MONEY", 80_00)]).lines == [40, 0, 0, 0]
    assert earned([rule()], lines).lines == [50, 4, 6, 40]


def test_r08_nothing_was_bought() -> None:
    assert earned([rule()], []).points == 0
    assert earned([rule()], [(0, None)], [("MONEY", 0)]).points == 0


def test_r10_every_rule_that_contributed_is_listed_with_version_and_points() -> None:
    double = times("bakery-double", 2, version=3, stacks=True, categories=frozenset({"PASTRY", "BREAD"}))
    valued = earned([rule(version=2), double], [(2_00, "PASTRY"), (3_00, "MILK")])
    assert valued.decisions == [
        {"rule": "base", "version": 2, "points": 5},
        {"rule": "bakery-double", "version": 3, "points": 2},
    ]
    assert valued.lines == [4, 3]


def test_r10_of_rules_that_do_not_stack_the_highest_priority_wins() -> None:
    gold = rule("gold", rate=Fraction(3, 100), priority=5)
    assert by_rule(earned([rule(), gold], [(1_00, None)])) == {"gold": 3}
    triple, double = times("triple", 3, priority=1), times("double", 2, priority=2)
    assert by_rule(earned([rule(), triple, double], [(1_00, None)])) == {"base": 1, "double": 1}


def test_r10_a_tie_is_broken_by_code() -> None:
    rules = [rule("b", rate=Fraction(2, 100)), rule("a"), rule("c", rate=Fraction(3, 100))]
    assert by_rule(earned(rules, [(1_00, None)])) == {"a": 1}


def test_r10_rules_that_stack_all_count_and_multipliers_add_up() -> None:
    rules = [
        rule(),
        rule("bonus", rate=Fraction(2, 100), stacks=True),
        times("double", 2, stacks=True),
        times("triple", 3, stacks=True),
    ]
    assert by_rule(earned(rules, [(10_00, None)])) == {"base": 10, "bonus": 20, "double": 30, "triple": 60}


def test_r10_a_winner_of_one_category_leaves_the_others_to_the_next() -> None:
    wine = rule("wine", rate=Fraction(5, 100), priority=1, categories=frozenset({"WINE"}))
    valued = earned([rule(), wine], [(1_00, "WINE"), (1_00, "BREAD")])
    assert (valued.lines, by_rule(valued)) == ([5, 1], {"wine": 5, "base": 1})


def test_r10_a_multiplier_alone_gives_nothing() -> None:
    assert earned([times("double", 2)], [(1_00, None)]).decisions == []


def test_r10_a_broken_multiplier_is_rounded_on_what_was_not_yet_rounded() -> None:
    assert by_rule(earned([rule(), times("more", Fraction(3, 2))], [(1_90, None), (10, None)])) == {
        "base": 2,
        "more": 1,
    }


def test_r10_a_rule_that_gave_nothing_this_time_is_still_named() -> None:
    assert earned([rule()], [(30, None)]).decisions == [{"rule": "base", "version": 1, "points": 0}]


def test_r12_a_late_event_is_valued_by_the_rules_of_its_time() -> None:
    change = datetime(2017, 5, 1, 4, tzinfo=UTC)
    rules = [rule(valid_to=change), rule(version=2, valid_from=change, rate=Fraction(2, 100))]
    versions = [
        [decision["version"] for decision in earned(rules, [(1_00, None)], at=moment).decisions]
        for moment in (START - timedelta(seconds=1), START, change - timedelta(microseconds=1), change)
    ]
    assert versions == [[], [1], [1], [2]]


def test_a_rule_that_ended_gives_nothing() -> None:
    assert earned([rule(valid_to=datetime(2017, 2, 1, tzinfo=UTC))], [(1_00, None)]) == Valued(0, [], [0])


def test_no_rules_for_the_currency_is_no_points() -> None:
    assert value_purchase(house(rule()), "FUE", "USD", [(1_00, None)], (), NOON) == Valued(0, [], [0])


@pytest.mark.parametrize(
    ("lines", "tenders", "money", "path"),
    [
        ([(1_00, None), (-1, None)], [], "USD", ("lines", "1", "amount")),
        ([(1_00, None)], [("MONEY", -1)], "USD", ("tenders", "0", "amount")),
        ([(1_00, None)], [], "EUR", ()),
        ([(MAX_INTEGER, None)] * 101, [], "USD", ("lines",)),
    ],
)
def test_what_cannot_be_valued_is_refused(
    lines: list[Line], tenders: list[Tender], money: str, path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        earned([rule()], lines, tenders, money=money)
    assert refusal.value.path == path


def test_r10_a_bonus_is_given_once_to_an_order_that_reaches_it() -> None:
    bonus = rule("bonus", rate=None, rounding=None, bonus=500, least=300_00, categories=frozenset({"WINE"}))
    rules = [rule(), bonus, times("double", 2)]
    reached = earned(rules, [(200_00, "WINE"), (100_00, "WINE"), (50_00, "BREAD")])
    assert by_rule(reached) == {"base": 350, "bonus": 500, "double": 350}
    assert reached.lines == [733, 367, 100]
    assert by_rule(earned(rules, [(299_99, "WINE"), (50_00, "BREAD")]))["bonus"] == 0
    assert by_rule(earned([bonus], [(300_00, "WINE")], [("POINTS", 1), ("MONEY", 299_99)])) == {"bonus": 0}


def test_r10_all_bonuses_that_are_reached_count() -> None:
    rules = [rule(f"from-{least}", rate=None, rounding=None, bonus=least, least=least * 100) for least in (10, 20, 30)]
    assert by_rule(earned(rules, [(20_00, None)])) == {"from-10": 10, "from-20": 20, "from-30": 0}


def test_r09_a_rule_gives_an_order_no_more_than_its_cap() -> None:
    rules = [rule(cap=200), times("double", 2, cap=10)]
    valued = earned(rules, [(100_00, None), (100_00, None), (100_00, None)])
    assert by_rule(valued) == {"base": 200, "double": 10}
    assert valued.lines == [71, 70, 69]


categories = st.sampled_from(["A", "B", "C", None])
orders = st.lists(st.tuples(st.integers(0, 10_000), categories), max_size=12)
tender_lists = st.lists(st.tuples(st.sampled_from(["MONEY", "POINTS", "COUPON"]), st.integers(0, 20_000)), max_size=3)


@st.composite
def rule_sets(draw: st.DrawFn) -> list[EarningRule]:
    """A few rules of either kind, at any priority, for any categories."""
    rules = []
    for index in range(draw(st.integers(1, 4))):
        terms: dict[str, Any] = {
            "priority": draw(st.integers(0, 2)),
            "stacks": draw(st.booleans()),
            "categories": draw(st.none() | st.frozensets(st.sampled_from("ABC"), min_size=1)),
            "excluded": draw(st.frozensets(st.sampled_from("ABC"), max_size=1)),
            "rounding": (draw(st.sampled_from(list(ROUND))), draw(st.sampled_from(["line", "order"]))),
        }
        if draw(st.booleans()):
            rules.append(rule(f"r{index}", rate=draw(st.fractions(0, 3, max_denominator=300)), **terms))
        else:
            rules.append(times(f"m{index}", draw(st.fractions(1, 4, max_denominator=4)), **terms))
    return rules


@given(rule_sets(), orders, tender_lists)
def test_r08_r10_lines_and_rules_sum_to_the_whole(
    rules: list[EarningRule], lines: list[Line], tenders: list[Tender]
) -> None:
    valued = earned(rules, lines, tenders)
    assert valued.points == sum(valued.lines) == sum(decision["points"] for decision in valued.decisions)
    assert len(valued.lines) == len(lines)
    assert all(points >= 0 for points in valued.lines)


@given(rule_sets(), orders, tender_lists)
def test_r08_r10_points_are_within_rounding_of_what_the_rules_say(
    rules: list[EarningRule], lines: list[Line], tenders: list[Tender]
) -> None:
    """Against a plain reading of the rules, line by line and in fractions."""
    total = sum(amount for amount, _ in lines)
    paid = total
    if tenders:
        money = sum(amount for kind, amount in tenders if kind == "MONEY")
        paid = max(0, min(money, total - (sum(amount for _, amount in tenders) - money)))
    exact = Fraction(0)
    rounded_by_order: set[str] = set()
    roundings = 0
    for amount, category in lines:
        base, factor = Fraction(0), Fraction(1)
        for kind in ("rate", "multiplier"):
            falling = [r for r in rules if getattr(r, kind) is not None and r.matches(category)]
            alone = sorted((r for r in falling if not r.stacks), key=lambda r: (-r.priority, r.code))[:1]
            for r in alone + [r for r in falling if r.stacks]:
                assert r.rounding is not None
                roundings += r.rounding[1] == "line"
                rounded_by_order |= {r.code} if r.rounding[1] == "order" else set()
                base += r.rate or 0
                factor += (r.multiplier or 1) - 1
        exact += base * factor * (Fraction(amount * paid, total) if total else 0)
    assert abs(earned(rules, lines, tenders).points - exact) <= roundings + len(rounded_by_order)


@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from(list(ROUND)))
def test_r08_by_order_is_the_whole_rounded_once_and_no_line_is_a_point_off(amounts: list[int], mode: Any) -> None:
    valued = earned([rule(rounding=(mode, "order"))], [(amount, None) for amount in amounts])
    assert valued.points == ROUND[mode](sum(amounts), 100)
    assert all(abs(points - Fraction(amount, 100)) < 1 for points, amount in zip(valued.lines, amounts, strict=True))
