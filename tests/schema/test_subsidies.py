"""Subsidies over the endpoint (A3, A14), and what stands in the way of an exchange (A5, A12)."""

from typing import Any

from alliance.runtime import Runtime
from tests.alliance.exposure.support import cap, limits
from tests.alliance.exposure.test_freezing import freezes
from tests.alliance.subsidies.test_subsidies import subsidise
from tests.alliance.support import House
from tests.schema.support import Client, by_card
from tests.schema.test_settlement import give

SEEN = """{ agreement(merchants: ["fuel", "grocer"]) { id current { number subsidies {
               currency { code } budget { amount } used { amount } left { amount } } } } }"""
OPTIONS = """query ($by: MemberRef!, $from: String!) {
               member(by: $by) { exchangeOptions(from: $from) { to { code } blockedBy } } }"""


async def test_a03_a14_both_merchants_see_the_budget_and_what_is_used(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await subsidise(House(runtime), gro="3.60")
    await give(operator, card, 900, at="fuel", of="GRO")
    shown = await fuel.run(SEEN)
    assert shown == await grocer.run(SEEN) == await operator.run(SEEN)
    gro, fue = shown["agreement"]["current"]["subsidies"]
    amounts = {"budget": {"amount": "3.600000"}, "used": {"amount": "3.240000"}, "left": {"amount": "0.360000"}}
    assert gro == {"currency": {"code": "GRO"}, **amounts}
    assert (fue["currency"]["code"], fue["used"]["amount"]) == ("FUE", "0.000000")
    asked: dict[str, Any] = {"merchant": "fuel", "member": by_card(card), "channel": "STORE", "currency": "GRO"}
    answer = "... on SubsidyExhausted { currency agreement { id } }"
    for client in (fuel, operator):
        refused = await client.do("earn", "EarnInput", answer, **asked, points=101)
        assert (refused["code"], refused["currency"]) == ("SUBSIDY_EXHAUSTED", "GRO")
        assert refused["agreement"] == {"id": shown["agreement"]["id"]}
        assert shown["agreement"]["id"] not in refused["message"]


async def test_a03_a05_a12_what_blocks_an_exchange_is_named(runtime: Runtime, operator: Client, card: str) -> None:
    house = House(runtime)
    await give(operator, card, 1_000, at="grocer", of="GRO")
    await give(operator, card, 1_000, at="fuel", of="FUE")

    async def blocked(source: str) -> list[str]:
        found = await operator.run(OPTIONS, by=by_card(card), **{"from": source})
        codes: list[str] = found["member"]["exchangeOptions"][0]["blockedBy"]
        return codes

    assert (await blocked("FUE"), await blocked("GRO")) == ([], [])
    await limits(house, fuel=cap("0.99"))
    assert (await blocked("FUE"), await blocked("GRO")) == (["MERCHANT_AT_CAP"], [])
    await limits(house, fuel=cap("1.00"))
    await subsidise(house, fue="0.10")
    assert (await blocked("FUE"), await blocked("GRO")) == ([], ["SUBSIDY_EXHAUSTED"])
    await freezes(house, "fuel")
    assert await blocked("FUE") == ["MERCHANT_FROZEN"]
    assert await blocked("GRO") == ["MERCHANT_FROZEN", "SUBSIDY_EXHAUSTED"]
