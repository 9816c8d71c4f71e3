"""Re-ratings over the endpoint (A11, A14, A16)."""

from typing import Any

from alliance.runtime import Runtime
from tests.alliance.rerating.test_rerating import carry_out
from tests.alliance.support import House
from tests.schema.support import NOW, Client, viewer_of
from tests.schema.test_settlement import give

AGREED = """{ agreement(merchants: ["fuel", "grocer"]) { id } }"""
ANSWER = """... on Rerated { approval { id status }
    preview { lines totals { debtor { code } before { amount } after { amount } cycle { number } }
              samples { kind points priceBefore priceAfter before { amount } after { amount } } left { reason } } }"""
SEEN = """{ rerates { totalCount edges { node {
    id from to version prices { kind currency price } reason finishedAt agreement { id }
    totals { debtor { code } creditor { code } lines before { amount } after { amount } } } } } }"""


async def test_a11_a16_asked_for_by_one_approved_by_another_seen_by_its_merchants(
    runtime: Runtime, anonymous: Client, operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await give(operator, card, 1_000, at="grocer", of="GRO")
    spending: dict[str, Any] = {"merchant": "fuel", "member": {"identifier": _card(card)}, "channel": "STORE"}
    await operator.do("redeem", "RedeemInput", "... on Redeemed { points }", **spending, currency="GRO", points=600)
    agreement = (await operator.run(AGREED))["agreement"]["id"]
    price = {"kind": "SPEND", "currency": "GRO", "price": {"amount": "0.0085", "currency": "USD"}}
    asked: dict[str, Any] = {"agreement": agreement, "from": "2017-06-01", "to": "2017-07-01", "prices": [price]}
    asked["reason"] = "the price of June"
    looked = await operator.do("rerate", "RerateInput", ANSWER, **asked, dryRun=True)
    assert (looked["approval"], looked["preview"]["lines"]) == (None, 1)
    assert looked["preview"]["samples"] == [
        {
            "kind": "SPEND",
            "points": 600,
            "priceBefore": "0.00900000",
            "priceAfter": "0.00850000",
            "before": {"amount": "5.400000"},
            "after": {"amount": "5.100000"},
        }
    ]
    waiting = await operator.do("rerate", "RerateInput", ANSWER, **asked)
    assert (waiting["preview"], waiting["approval"]["status"]) == (looked["preview"], "WAITING")
    decided: dict[str, Any] = {"approval": waiting["approval"]["id"]}
    done = "... on Approved { approval { outcome } } ... on UserError { code }"
    assert (await operator.do("approve", "DecideApprovalInput", done, **decided))["code"] == "SAME_HANDS"
    second = anonymous.signed_in(viewer_of("operator")).at(NOW)
    approved = await second.do("approve", "DecideApprovalInput", done, **decided)
    await carry_out(House(runtime), approved["approval"]["outcome"]["rerate"])
    found = (await operator.run(SEEN))["rerates"]
    assert found == (await fuel.run(SEEN))["rerates"] == (await grocer.run(SEEN))["rerates"]
    (seen,) = [edge["node"] for edge in found["edges"]]
    assert seen["totals"][0] == {
        "debtor": {"code": "grocer"},
        "creditor": {"code": "fuel"},
        "lines": 1,
        "before": {"amount": "5.400000"},
        "after": {"amount": "5.100000"},
    }
    assert seen["prices"] == [{"kind": "SPEND", "currency": "GRO", "price": "0.00850000"}]
    answer = "... on RerateBegun { rerate { finishedAt } }"
    begun = await second.do("rerateAgain", "RerateAgainInput", answer, rerate=seen["id"])
    assert begun["rerate"]["finishedAt"] is None
    nothing = await operator.do("rerate", "RerateInput", "... on NothingToRerate { code }", **asked)
    assert nothing["code"] == "NOTHING_TO_RERATE"
    node = "query ($id: ID!) { node(id: $id) { ... on Rerate { reason } } }"
    assert (await fuel.run(node, id=seen["id"]))["node"] == {"reason": "the price of June"}
    preview = 'query { previewRerate(input: {agreement: "x", from: "2017-06-01", to: "2017-07-01"}) { lines } }'
    refused = (await fuel.post(preview)).json()
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def _card(value: str) -> dict[str, str]:
    return {"type": "CARD", "issuer": "grocer", "value": value}
