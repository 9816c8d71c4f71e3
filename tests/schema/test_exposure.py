"""Caps and positions over the endpoint: who sees which (A14), and what a cap answers (A5)."""

from typing import Any

from alliance.runtime import Runtime
from tests.alliance.exposure.support import cap, limits
from tests.alliance.support import House
from tests.schema.support import Client, by_card
from tests.schema.test_settlement import give

WANT = """cap { amount } position { amount } reserved { amount } headroom { amount } percent merchant { code }
          alerts(first: 1) { totalCount edges { node { level position { amount } } } }"""


async def of(client: Client, merchant: str | None = None) -> Any:
    asked = "" if merchant is None else f'(merchant: "{merchant}")'
    return (await client.run(f"{{ exposure{asked} {{ {WANT} }} }}"))["exposure"]


async def test_a05_a14_a_merchant_sees_its_own_position_and_the_operator_all(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await limits(House(runtime), fuel=cap("10.00"), grocer={})
    await give(operator, card, 1_000, at="fuel", of="GRO")
    shown = await of(fuel)
    assert shown == await of(fuel, "fuel") == await of(operator, "fuel")
    assert {name: shown[name]["amount"] for name in ("cap", "position", "headroom")} == {
        "cap": "10.000000",
        "position": "9.000000",
        "headroom": "1.000000",
    }
    assert (shown["percent"], shown["merchant"]) == (90, {"code": "fuel"})
    assert shown["alerts"]["edges"] == [{"node": {"level": 85, "position": {"amount": "9.000000"}}}]
    assert (await of(grocer), await of(grocer, "fuel"), await of(operator, "grocer")) == (None, None, None)

    every = "{ exposures { totalCount edges { node { merchant { code } } } } }"
    assert (await operator.run(every))["exposures"]["edges"] == [{"node": {"merchant": {"code": "fuel"}}}]
    assert (await grocer.run(every))["exposures"]["totalCount"] == 0


async def test_a05_what_a_cap_refuses_says_no_figures(runtime: Runtime, operator: Client, card: str) -> None:
    await limits(House(runtime), fuel=cap("1.00"))
    await give(operator, card, 500, at="fuel", of="FUE")
    waiting = await give(operator, card, 200, at="fuel", of="GRO")
    asked = {"member": by_card(card), "to": "GRO", "pointsOut": 200, "from": "FUE"}
    refused = await operator.do("quoteExchange", "QuoteExchangeInput", "... on MerchantAtCap { merchant }", **asked)
    assert (refused["__typename"], refused["merchant"]) == ("MerchantAtCap", "fuel")
    assert refused["code"] == "MERCHANT_AT_CAP"
    confirmed = await operator.do("confirmEarn", "ConfirmEarnInput", "", operation=waiting["operation"]["id"])
    assert confirmed["__typename"] == "MerchantAtCap"
