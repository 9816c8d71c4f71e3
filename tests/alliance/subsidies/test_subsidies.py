"""A subsidy stops at its budget (A3 c): what is issued below price draws on it, and what comes back gives back."""

import asyncio
from dataclasses import replace
from datetime import date
from importlib import resources
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import text

from alliance.clearing.adjustments import adjust_request
from alliance.file import apply, parse
from alliance.runtime import Runtime
from alliance.subsidies.errors import SubsidyExhausted
from alliance.subsidies.queries import used
from alliance.subsidies.rules import below_price, given_back
from alliance.verify import verify
from domain.errors import Refusal
from domain.ledger.request import Posted
from domain.ledger.returns import Asked
from tests.alliance.exposure.support import cap, limits
from tests.alliance.file.alliances import written
from tests.alliance.support import CLIENT, NOON, House, days, key
from tests.keys import KEYS

FROM = "2017-03-01"
LOSS = 3_600
"""GRO costs fuel 0.0054 a point, and is paid for with 0.0090: so much is drawn, in millionths."""


async def subsidise(house: House, gro: str = "36.00", fue: str = "2.00", version: int = 2, start: str = FROM) -> None:
    """The next version of the sample's agreement: GRO is issued for less than it is paid for, and so is FUE."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(sample)
    [agreement] = document["agreements"]
    usd = {"currency": "USD"}
    agreement |= {"version": version, "from": date.fromisoformat(start)}
    agreement["earn"][0]["issuePrice"] = {"amount": "0.006"} | usd
    agreement["redeem"][1]["redemptionPrice"] = {"amount": "0.012"} | usd
    budgets = {"GRO": gro, "FUE": fue}
    agreement["subsidies"] = [{"of": code, "budget": {"amount": amount} | usd} for code, amount in budgets.items()]
    async with house.runtime.database.transaction() as session:
        plan = await apply(session, parse(written(document), "subsidies.yaml"), NOON)
        assert not plan.refused, plan.lines()
    await house.runtime.refresh()


async def drawn(house: House, currency: str = "GRO", version: int = 2) -> int:
    """What is drawn, in millionths."""
    place = (house.version().agreement_id, version)
    async with house.runtime.database.session() as session:
        return (await used(session, [place])).get(place, {}).get(currency, 0)


def test_a03_what_is_drawn_and_given_back() -> None:
    assert (below_price(1_000, paid=9_000, got=5_400), below_price(1_000, paid=5_400, got=9_000)) == (3_600_000, 0)
    parts = [given_back(100, before, before + 1, 7) for before in range(7)]
    assert (sum(parts), max(parts) - min(parts)) == (100, 1)


async def test_a03_what_is_issued_below_price_draws_and_stops_at_the_budget(house: House) -> None:
    await subsidise(house)
    member = await house.member()
    await house.earn(member, "fuel", 9_000)
    assert await drawn(house) == 9_000 * LOSS
    with pytest.raises(SubsidyExhausted) as refused:
        await house.earn(member, "fuel", 1_001)
    agreement = str(house.version().agreement_id)
    assert refused.value.data == {"currency": "GRO", "agreement": agreement, "version": 2}
    assert agreement not in refused.value.message()
    with pytest.raises(SubsidyExhausted):
        await house.earn(member, "fuel", 1_001, dry_run=True)
    await house.earn(member, "fuel", 1_000)
    assert await drawn(house) == 36_000_000
    with pytest.raises(SubsidyExhausted):
        await house.earn(member, "fuel", 1)
    await house.earn(member, "grocer", 5_000)
    await house.spend(member, "fuel", 5_000)
    assert await drawn(house) == 36_000_000, "its own points, and points that are spent, draw nothing"


async def test_a03_an_exchange_draws_by_the_prices_of_its_quote(house: House) -> None:
    """80 FUE for 100 GRO bring 0.80, and are paid for with 0.96."""
    await subsidise(house)
    member = await house.member()
    await house.earn(member, "grocer", 10_000)
    offered = await house.quote(member, points_out=1_200)
    await subsidise(house, version=3, start="2017-06-02")
    await house.use(member, offered)
    assert await drawn(house, "FUE") == 960 * 2_000
    with pytest.raises(SubsidyExhausted):
        await house.use(member, await house.quote(member, points_out=100))
    await house.use(member, await house.quote(member, points_out=50 * 2, as_of=NOON + days(2)), as_of=NOON + days(2))
    assert (await drawn(house, "FUE"), await drawn(house, "FUE", 3)) == (1_920_000, 160_000), "a budget a version"


async def test_a03_what_comes_back_gives_back(house: House) -> None:
    """As much as is recovered: what was spent meanwhile is lost, until later earns repay it."""
    await subsidise(house)
    member = await house.member()
    first, second = await house.earn(member, "fuel", 1_000), await house.earn(member, "fuel", 1_000)
    await house.reverse(member, first, asked=Asked(points=333))
    assert await drawn(house) == 1_667 * LOSS
    await house.reverse(member, first)
    assert await drawn(house) == 1_000 * LOSS
    await house.spend(member, "fuel", 900)
    await house.reverse(member, second)
    assert await drawn(house) == 900 * LOSS


async def test_a03_what_is_repaid_later_gives_back_too(house: House) -> None:
    await subsidise(house)
    catalogue = house.runtime.catalogue
    grocer = catalogue.merchants["grocer"]
    endless = replace(grocer, clawback="unlimited")
    codes = catalogue.merchants | {"grocer": endless}
    ids = catalogue.merchants_by_id | {grocer.id: endless}
    policies = tuple(replace(one, floor=None) for one in catalogue.currencies["GRO"].policies)
    currencies = catalogue.currencies | {"GRO": replace(catalogue.currencies["GRO"], policies=policies)}
    house.runtime.catalogue = replace(catalogue, merchants=codes, merchants_by_id=ids, currencies=currencies)
    member = await house.member()
    earned = await house.earn(member, "fuel", 1_000)
    await house.spend(member, "fuel", 1_000)
    await house.reverse(member, earned)
    assert await drawn(house) == 1_000 * LOSS
    await house.earn(member, "grocer", 400)
    assert await drawn(house) == 600 * LOSS


async def test_a03_points_that_wait_draw_when_they_are_granted(house: House) -> None:
    await subsidise(house)
    await limits(house, fuel=cap("1.00"))
    member = await house.member()
    waiting = await house.earn(member, "fuel", 9_000)
    assert waiting.data == {"pending": 9_000}
    assert await drawn(house) == 9_000 * LOSS
    await house.reverse(member, waiting)
    assert await drawn(house) == 0


async def test_a03_points_by_hand_draw_too(house: House) -> None:
    await subsidise(house, gro="3.60")
    member = await house.member()
    fuel = house.runtime.catalogue.merchants["fuel"]
    named = {"reason": "goodwill", "occurred_at": NOON, "as_of": NOON, "client_id": CLIENT, "currency": "GRO"}
    for points in (600, 600):
        request = adjust_request(house.runtime, member_id=member, merchant=fuel, points=points, key=key(), **named)
        try:
            await house.runtime.engine.post(request)
        except SubsidyExhausted:
            break
    assert await drawn(house) == 600 * LOSS


async def test_a03_under_concurrency_no_budget_is_passed(house: House, database_url: str) -> None:
    """From two engines at once, batches of earns and returns: 100 points too many for the budget of 1,000."""
    await subsidise(house, gro="3.60")
    members = [await house.member() for _ in range(11)]
    async with Runtime.open(database_url, keys=KEYS) as other:
        both = [house, House(other)]
        calls = [both[place % 2].earn(member, "fuel", 100) for place, member in enumerate(members)]
        said = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in said if isinstance(one, Refusal)]
        assert [one.code for one in refused] == ["SUBSIDY_EXHAUSTED"]
        posted = [(member, one) for member, one in zip(members, said, strict=True) if isinstance(one, Posted)]
        again: list[Any] = [both[place % 2].reverse(*one) for place, one in enumerate(posted)]
        again += [both[place % 2].earn(member, "fuel", 100) for place, member in enumerate(members)]
        await asyncio.gather(*again, return_exceptions=True)
        assert await drawn(house) <= 1_000 * LOSS


async def test_r26_verify_names_the_subsidy_that_differs(house: House) -> None:
    await subsidise(house)
    await house.earn(await house.member(), "fuel", 1_000)
    for change, found in (("used + 1", (3_600_001, 3_600_000)), ("used - 1", None)):
        async with house.runtime.database.transaction() as session:
            await session.execute(text(f"UPDATE subsidy_use SET used = {change}"))
        async with house.runtime.database.session() as session:
            said = [(one.kept, one.proved) for one in (await verify(session)).differences]
        assert said == ([] if found is None else [found])
