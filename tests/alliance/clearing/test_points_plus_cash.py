"""Points plus cash (R15): how many points an order takes, decided with everything that is posted before it."""

import asyncio
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from alliance.clearing.commands import redeem_request
from alliance.clearing.errors import NoAgreement
from domain.errors import InvalidInput
from domain.ledger.errors import InsufficientPoints
from domain.ledger.holds import HoldPoints
from domain.ledger.request import Posted
from domain.programs.catalogue import RedemptionTerms
from tests.alliance.support import CLIENT, NOON, House, days, key


def terms(house: House, **changed: Any) -> None:
    """Other terms for GRO, which is worth 0.01 USD a point."""
    catalogue = house.runtime.catalogue
    currency = catalogue.currencies["GRO"]
    policies = tuple(replace(policy, redemption=RedemptionTerms(**changed)) for policy in currency.policies)
    currencies = {**catalogue.currencies, "GRO": replace(currency, policies=policies)}
    house.runtime.catalogue = replace(catalogue, currencies=currencies)


def pay(
    house: House, member: Any, cents: int | None, points: int | None = None, at: str = "grocer", **named: Any
) -> Any:
    common = {"as_of": NOON, "occurred_at": NOON, "key": key(), "client_id": CLIENT} | named
    return redeem_request(
        house.runtime,
        member_id=member,
        merchant=house.runtime.catalogue.merchants[at],
        points=points,
        order=None if cents is None else (cents, "USD"),
        currency="GRO",
        **common,
    )


async def paid(house: House, *args: Any, **named: Any) -> Posted:
    return await house.runtime.engine.post(pay(house, *args, **named))


@pytest.mark.parametrize(
    ("redemption", "cents", "points", "expected"),
    [
        ({}, 2000, None, 1000),  # all that is available
        ({}, 700, None, 700),  # what the order takes
        ({}, 700, 300, 300),  # what was asked for
        ({}, 2000, 5000, 1000),  # asked for more than there is
        ({"max_share": Fraction(1, 2)}, 999, None, 499),  # half an order, rounded down
        ({"max_share": Fraction(1, 3)}, 1000, None, 333),
        ({"max_money": 500_000_000}, 2000, None, 500),  # 5.00
        ({"unit": 100}, 799, None, 700),  # down to a whole unit
        ({"unit": 300}, 2000, None, 900),
        ({"unit": 100, "minimum": 500}, 499, None, 0),  # under the minimum
        ({"unit": 100, "minimum": 500}, 500, None, 500),
        ({"unit": 100, "minimum": 500}, 2000, 499, 0),
        ({"unit": 100, "max_share": Fraction(1, 2), "max_money": 350_000_000}, 2000, 900, 300),
        ({}, 0, None, 0),
    ],
)
async def test_r15_the_least_of_all_caps_down_to_a_unit(
    house: House, redemption: dict[str, Any], cents: int, points: int | None, expected: int
) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 1000)
    terms(house, **redemption)
    simulated = await paid(house, member, cents, points, dry_run=True)
    done = await paid(house, member, cents, points)
    assert simulated.points == done.points == expected
    assert (done.operation_id is None) == (expected == 0)
    assert sum(lot.remaining for lot in await house.lots(member, "GRO")) == 1000 - expected


async def test_r15_without_an_order_too_few_points_are_refused(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 10)
    with pytest.raises(InsufficientPoints):
        await paid(house, member, None, 11)
    with pytest.raises(InvalidInput):
        await paid(house, member, None, None)
    with pytest.raises(InvalidInput):
        await paid(house, member, 100, 0)


async def test_r15_what_is_held_is_not_available_to_an_order(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 100)
    issuer = house.id("grocer")
    await house.runtime.engine.post(
        HoldPoints(
            holder_id=member,
            key=key(),
            client_id=CLIENT,
            as_of=NOON,
            occurred_at=NOON,
            merchant_id=issuer,
            issuer_id=issuer,
            currency="GRO",
            points=60,
            expires_at=NOON + days(1),
        )
    )
    assert (await paid(house, member, 5000)).points == 40


async def test_r15_r16_orders_at_once_take_what_there_is_and_none_is_refused(house: House) -> None:
    """Decided with the posting: the wallet is not looked at before."""
    member = await house.member()
    await house.earn(member, "grocer", 100)
    answers = await asyncio.gather(*(paid(house, member, 30) for _ in range(20)))
    assert sorted((answer.points for answer in answers), reverse=True) == [30, 30, 30, 10, *[0] * 16]


async def test_r15_a1_at_a_partner_what_was_taken_is_owed(house: House) -> None:
    member = await house.member()
    await house.earn(member, "grocer", 600)
    taken = await paid(house, member, 1000, at="fuel")
    assert (await house.owed(taken))[0] == ("SPEND", "grocer", "fuel", 600, "5.400000")
    before = await house.count("obligation")
    assert (await paid(house, member, 1000, at="fuel")).points == 0
    assert await house.count("obligation") == before
    undone = await house.reverse(member, taken)
    assert (await house.owed(undone))[0] == ("SPEND", "grocer", "fuel", -600, "-5.400000")
    house.agree()
    with pytest.raises(NoAgreement):
        await paid(house, member, 1000, at="fuel")


async def test_r27_an_order_that_came_to_nothing_is_answered_so_again(house: House) -> None:
    member = await house.member()
    call = pay(house, member, 1000, key=key("nothing-to-take"))
    first = await house.runtime.engine.post(call)
    await house.earn(member, "grocer", 600)
    again = await house.runtime.engine.post(replace(call))
    assert (first.points, again.points, again.duplicate) == (0, 0, True)
