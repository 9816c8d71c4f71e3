"""Of a merchant that declares orders unique, an order is booked once of each kind, whatever the key (R12)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.ledger.errors import DuplicateOrder
from domain.ledger.request import Posted
from tests.alliance.clearing.test_holds import capture, hold
from tests.alliance.support import House


@pytest.fixture
async def member(house: House) -> Any:
    """With points of the grocer's, at whose till orders are unique."""
    made = await house.member()
    await house.earn(made, "grocer", 1000)
    catalogue = house.runtime.catalogue
    grocer = replace(catalogue.merchants["grocer"], unique_orders=True)
    house.runtime.catalogue = replace(
        catalogue,
        merchants=dict(catalogue.merchants) | {"grocer": grocer},
        merchants_by_id=dict(catalogue.merchants_by_id) | {grocer.id: grocer},
    )
    return made


async def test_r12_an_order_is_earned_on_once_and_paid_once(house: House, member: Any) -> None:
    """The kinds are apart: an order earns on the money and is paid in points."""
    other = await house.member()
    await house.earn(other, "grocer", 50, order_ref="o-1")
    spent = await house.spend(member, "grocer", 10, order_ref="o-1")
    for points in (10, 5000):
        with pytest.raises(DuplicateOrder) as refused:
            await house.spend(member, "grocer", points, order_ref="o-1")
        assert refused.value.data == {"order": "o-1", "operation": str(spent.operation_id)}
    with pytest.raises(DuplicateOrder):
        await house.spend(other, "grocer", 10, order_ref="o-1")
    with pytest.raises(DuplicateOrder):
        await house.spend(member, "grocer", None, order=(100, "USD"), order_ref="o-1")  # type: ignore[arg-type]
    await house.spend(member, "grocer", 10)
    await house.spend(member, "grocer", 10, order_ref="o-2")
    await house.spend(member, "fuel", 10, order_ref="o-1")
    await house.spend(member, "fuel", 10, order_ref="o-1")


async def test_r12_an_order_that_takes_no_points_is_not_paid_yet(house: House, member: Any) -> None:
    poor = await house.member()
    nothing = await house.spend(poor, "grocer", None, order=(100, "USD"), order_ref="o-1")  # type: ignore[arg-type]
    assert nothing.operation_id is None
    assert (await house.spend(member, "grocer", None, order=(100, "USD"), order_ref="o-1")).points == 100  # type: ignore[arg-type]


async def test_r12_a_capture_pays_an_order_as_a_redemption_does(house: House, member: Any) -> None:
    """Several holds may be tried for an order; one of them is captured."""
    one, two = [await hold(house, member, "grocer", 10, order_ref="o-1") for _ in range(2)]
    await capture(house, one)
    with pytest.raises(DuplicateOrder):
        await capture(house, two)
    with pytest.raises(DuplicateOrder):
        await hold(house, member, "grocer", 10, order_ref="o-1")
    with pytest.raises(DuplicateOrder):
        await house.spend(member, "grocer", 10, order_ref="o-1")


async def test_r12_of_many_at_once_one_pays_the_order(house: House, member: Any) -> None:
    tries = [house.spend(member, "grocer", 10, order_ref="o-1") for _ in range(20)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Posted) for answer in answers) == 1
    assert sum(isinstance(answer, DuplicateOrder) for answer in answers) == 19
