"""Parts of an order come back: what the original rules give for what is kept (R18, R19), and what is owed back (A1)."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alliance.agreements.book import Fee
from alliance.clearing.commands import Detail, earn_request
from domain.ledger.errors import AlreadyReversed
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from domain.money import from_minor
from domain.programs.earning import EarningRule, compile_earning
from tests.alliance.support import CLIENT, NOON, House, days, key

START = datetime(2017, 1, 1, tzinfo=UTC)


def rule(code: str, **terms: Any) -> EarningRule:
    """A rule in dollars; by default a point a dollar, floored by order."""
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


BONUS = rule("bonus", rate=None, rounding=None, bonus=500, least=300_00)


def publish(house: House, *rules: EarningRule, at: str = "grocer", **changes: Any) -> None:
    """Put these rules in force, in place of the sample's."""
    catalogue = house.runtime.catalogue
    merchant = replace(catalogue.merchants[at], earning=compile_earning(rules), **changes)
    house.runtime.catalogue = replace(
        catalogue,
        merchants={**catalogue.merchants, at: merchant},
        merchants_by_id={**catalogue.merchants_by_id, merchant.id: merchant},
    )


async def buy(
    house: House, member: uuid.UUID, amounts: Sequence[int], at: str = "grocer", money_paid: int | None = None
) -> Posted:
    """Lines "1", "2", ... at these amounts; of their sum `money_paid` was money."""
    details: list[Detail] = [(str(n), None, None, "1", from_minor(cents, "USD")) for n, cents in enumerate(amounts, 1)]
    rest = sum(amounts) - (sum(amounts) if money_paid is None else money_paid)
    request = earn_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants[at],
        money="USD",
        lines=[(cents, None) for cents in amounts],
        details=details,
        tenders=[("POINTS", rest), ("MONEY", sum(amounts) - rest)] if rest else (),
        currency="GRO",
        occurred_at=NOON,
        as_of=NOON,
        key=key(),
        client_id=CLIENT,
    )
    return await house.runtime.engine.post(request)


def line(ref: object) -> Asked:
    return Asked(lines=((str(ref), None),))


async def test_r18_a_bonus_goes_with_what_reached_it(house: House) -> None:
    publish(house, rule("base"), BONUS)
    member = await house.member()
    granted = await buy(house, member, [200_00, 120_00])
    assert granted.points == 820
    assert {one["rule"]: one["points"] for one in granted.decisions} == {"base": 320, "bonus": 500}
    assert (await house.reverse(member, granted, asked=line(2))).points == 620
    assert (await house.reverse(member, granted, asked=line(1))).points == 200


@pytest.mark.parametrize("order", list(permutations("123")))
async def test_r18_a_cap_is_undone_last(house: House, order: tuple[str, ...]) -> None:
    publish(house, rule("base", cap=200))
    member = await house.member()
    granted = await buy(house, member, [100_00, 100_00, 100_00])
    assert granted.points == 200
    assert [(await house.reverse(member, granted, asked=line(ref))).points for ref in order] == [0, 100, 100]


async def test_r18_in_proportion_where_the_merchant_wants_it(house: House) -> None:
    publish(house, rule("base"), BONUS, on_return="proportional")
    member = await house.member()
    granted = await buy(house, member, [200_00, 120_00])
    assert (await house.reverse(member, granted, asked=line(2))).points == 307
    assert (await house.reverse(member, granted, asked=line(1))).points == 513


async def test_r08_r23_what_is_kept_was_paid_in_points_as_the_whole_was(house: House) -> None:
    publish(house, rule("base"))
    member = await house.member()
    granted = await buy(house, member, [50_00, 50_00], money_paid=80_00)
    assert granted.points == 80
    assert (await house.reverse(member, granted, asked=line(1))).points == 40
    assert (await house.reverse(member, granted, asked=Asked(amount=25_00, money="USD"))).points == 20
    assert (await house.reverse(member, granted)).points == 20


async def test_r08_r18_what_is_kept_is_valued_by_its_price_where_the_rule_says_so(house: House) -> None:
    publish(house, rule("base", by_price=True))
    member = await house.member()
    granted = await buy(house, member, [50_00, 50_00], money_paid=80_00)
    assert granted.points == 100
    assert (await house.reverse(member, granted, asked=line(1))).points == 50
    assert (await house.reverse(member, granted, asked=Asked(amount=25_00, money="USD"))).points == 25
    assert (await house.reverse(member, granted)).points == 25


async def test_r19_the_versions_of_the_original_count(house: House) -> None:
    """Rules published since, even if they begin in the past, leave what was decided alone."""
    base, better = rule("base"), rule("base", version=2, valid_from=NOON - days(9), rate=Fraction(9, 100))
    member = await house.member()
    publish(house, base, BONUS)
    first, second = [await buy(house, member, [200_00, 120_00]) for _ in range(2)]
    publish(house, replace(base, valid_to=better.valid_from), better, replace(BONUS, valid_to=START + days(1)))
    assert (await house.reverse(member, first, asked=line(2))).points == 620
    publish(house, better)
    lost = await house.reverse(member, second, asked=line(2))
    assert lost.points == 307, "where a version cannot be found, points belong to lines in proportion"


async def test_a01_what_is_owed_back_is_in_proportion_and_sums_to_the_whole(house: House) -> None:
    fee = Fee(frozenset({"earn"}), Fraction("0.013"), 0, "issuer")
    house.agree(replace(house.version(), fees=(fee,)))
    publish(house, rule("base"), at="fuel")
    member = await house.member()
    granted = await buy(house, member, [33_00, 33_00, 41_00], at="fuel")
    assert await house.owed(granted) == [
        ("EARN", "fuel", "grocer", 107, "0.963000"),
        ("FEE", "grocer", "operator", 107, "0.012519"),
    ]
    parts = [await house.reverse(member, granted, asked=line(ref)) for ref in (2, 1, 3)]
    assert await house.owed(parts[0]) == [
        ("EARN", "fuel", "grocer", -33, "-0.297000"),
        ("FEE", "grocer", "operator", -33, "-0.003861"),
    ]
    rows = await house.obligations()
    assert len(rows) == 8
    assert sum(row.amount for row in rows if row.kind == "EARN") == 0
    assert sum(row.amount for row in rows if row.kind == "FEE") == 0


async def test_a01_a_part_of_a_redemption_is_owed_back_by_the_point(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1_000)
    spent = await house.spend(member, "fuel", 600)
    first = await house.reverse(member, spent, asked=Asked(points=150))
    assert await house.owed(first) == [("SPEND", "grocer", "fuel", -150, "-1.350000")]
    assert await house.owed(await house.reverse(member, spent)) == [("SPEND", "grocer", "fuel", -450, "-4.050000")]


async def test_a01_only_what_is_recovered_is_credited_over_parts_too(house: House) -> None:
    publish(house, rule("base"), at="fuel")
    member = await house.member()
    granted = await buy(house, member, [60_00, 40_00], at="fuel")
    await house.spend(member, "grocer", 70)
    parts = [await house.reverse(member, granted, asked=line(ref)) for ref in (1, 2)]
    assert [(part.points, part.data["shortfall"]) for part in parts] == [(30, 30), (0, 40)]
    assert await house.owed(parts[0]) == [("EARN", "fuel", "grocer", -30, "-0.270000")]
    assert await house.owed(parts[1]) == []


RULES = [
    rule("base", rounding=("half_even", "line")),
    rule("capped", rate=Fraction(7, 300), stacks=True, cap=60),
    rule("half", rate=None, money=None, multiplier=Fraction(3, 2), rounding=("ceiling", "line")),
    replace(BONUS, least=40_00, bonus=77),
]


@given(
    amounts=st.lists(st.integers(0, 30_00), min_size=2, max_size=5),
    paid=st.integers(0, 100),
    back=st.integers(0, 10_00),
    data=st.data(),
)
@settings(max_examples=15)
async def test_r18_any_order_of_returns_ends_in_the_same_books(
    house: House, amounts: list[int], paid: int, back: int, data: st.DataObject
) -> None:
    publish(house, *RULES)
    pieces = [line(number) for number in range(2, len(amounts) + 1)]
    first = [Asked(amount=back, money="USD")] if 0 < back <= sum(amounts) else []
    taken = []
    for sequence in (pieces, data.draw(st.permutations(pieces))):
        member = await house.member()
        granted = await buy(house, member, amounts, money_paid=sum(amounts) * paid // 100)
        taken.append(sum([await _taken(house, member, granted, asked) for asked in [*first, *sequence]]))
        assert taken[-1] + await _taken(house, member, granted, Asked()) == granted.points
    assert taken[0] == taken[1]


async def _taken(house: House, member: uuid.UUID, granted: Posted, asked: Asked) -> int:
    """What a return takes; nothing where the amount before was all that was left."""
    try:
        return (await house.reverse(member, granted, asked=asked)).points
    except AlreadyReversed:
        return 0


async def test_r17_r21_what_a_wallet_owes_is_as_the_currency_allows(house: House) -> None:
    publish(house, rule("base"), clawback="unlimited")
    member = await house.member()
    granted = await buy(house, member, [60_00, 40_00])
    await house.spend(member, "grocer", 100)
    assert (await house.reverse(member, granted, asked=line(1))).data == {"taken": 60, "shortfall": 0}
    at_fuel = await house.earn(member, "fuel", 90)
    await house.spend(member, "fuel", 30)
    assert (await house.reverse(member, at_fuel)).data == {"taken": 90, "shortfall": 0}
    assert sum(one.amount for one in await house.obligations() if one.kind == "EARN") == 810_000
