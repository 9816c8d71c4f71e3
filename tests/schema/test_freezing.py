"""Freezing a merchant over the endpoint: who may, what it answers, and who sees what of it (A12, A14, A16)."""

from alliance.runtime import Runtime
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_settlement import give

FROZEN, RESTORED = (
    f"... on {kind} {{ merchant {{ frozenSince }} approval {{ id status }} }}" for kind in ("Frozen", "Restored")
)
BY_ITSELF = """mutation { freezeMerchant(input: {idempotencyKey: "by-itself", merchant: "fuel", reason: "x"}) {
               __typename } }"""
SEEN = '{ merchant(code: "fuel") { frozenSince freezes { kind reason asOf at } } }'


async def test_a12_a14_a16_the_operator_freezes_and_restores(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await give(operator, card, 500, at="fuel", of="FUE")
    asked = {"merchant": "fuel", "reason": "does not pay"}
    [denied] = await fuel.errors(BY_ITSELF)
    assert denied["extensions"]["code"] == "FORBIDDEN"
    frozen = await operator.do("freezeMerchant", "FreezeMerchantInput", FROZEN, **asked)
    assert frozen["__typename"] == "Frozen"
    assert frozen["merchant"]["frozenSince"]
    again = await operator.do("freezeMerchant", "FreezeMerchantInput", FROZEN, **asked)
    assert (again["code"], again["path"]) == ("MERCHANT_FROZEN", ["merchant"])
    quoted = {"member": by_card(card), "to": "GRO", "pointsOut": 200, "from": "FUE"}
    refused = await operator.do("quoteExchange", "QuoteExchangeInput", "... on MerchantFrozen { merchant }", **quoted)
    assert (refused["code"], refused["merchant"]) == ("MERCHANT_FROZEN", "fuel")
    mine, theirs = (await fuel.run(SEEN))["merchant"], (await grocer.run(SEEN))["merchant"]
    assert [(one["kind"], one["reason"]) for one in mine["freezes"][:1]] == [("FROZEN", "does not pay")]
    assert (theirs["frozenSince"], theirs["freezes"]) == (mine["frozenSince"], [])
    restored = await operator.do("restoreMerchant", "FreezeMerchantInput", RESTORED, merchant="fuel", reason="paid")
    assert (restored["merchant"], restored["approval"]["status"]) == (frozen["merchant"], "WAITING")
    approve = {"approval": restored["approval"]["id"]}
    done = "... on Approved { approval { status } }"
    own = await operator.do("approve", "DecideApprovalInput", done, **approve)
    assert own["code"] == "SAME_HANDS"
    colleague = operator.signed_in(viewer_of("operator"))
    approved = await colleague.do("approve", "DecideApprovalInput", done, **approve)
    assert approved["approval"]["status"] == "APPROVED"
    assert (await fuel.run(SEEN))["merchant"]["frozenSince"] is None
    nothing = await operator.do("restoreMerchant", "FreezeMerchantInput", RESTORED, merchant="fuel", reason="paid")
    assert nothing["code"] == "MERCHANT_NOT_FROZEN"
    unknown = await operator.do("restoreMerchant", "FreezeMerchantInput", RESTORED, merchant="nobody", reason="paid")
    assert unknown["code"] == "NOT_FOUND"
