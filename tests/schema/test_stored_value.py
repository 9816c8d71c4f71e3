"""Stored value over the endpoint: who may, what comes back, how it is refused."""

from typing import Any

from resolvers.viewer import Scope
from tests.schema.support import Client, by_card, viewer_of

TOPPED = (
    "... on ToppedUp { paid { amount } bonus { amount } operation { id kind status } wallet { available } } "
    "... on StoredValueLimitExceeded { cap used }"
)
REFUNDED = (
    "... on Refunded { amount { amount } bonus { amount } operation { kind } wallet { available } } "
    "... on InsufficientPoints { available requested }"
)
USD = {"currency": "USD"}


async def top_up(client: Client, card: str, paid: str, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "paid": {"amount": paid, **USD}} | more
    return await client.do("topUp", "TopUpInput", TOPPED, **given)


async def refund(client: Client, card: str, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "reason": "asked for"} | more
    return await client.do("refundStoredValue", "RefundStoredValueInput", REFUNDED, **given)


async def test_l04_topped_up_spent_refunded_and_reversed(operator: Client, card: str) -> None:
    first = await top_up(operator, card, "10.00", idempotencyKey="top-up-1")
    assert first == await top_up(operator, card, "10.00", idempotencyKey="top-up-1")
    assert (first["operation"]["kind"], first["wallet"]["available"]) == ("TOP_UP", 1000)
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "currency": "GCARD", "points": 300}
    spent = await operator.do("redeem", "RedeemInput", "... on Redeemed { points worth { amount } }", **given)
    assert spent["worth"] == {"amount": "3.00"}
    undone = {"operation": first["operation"]["id"], "reason": "wrong card"}
    refused = await operator.do(
        "reverse", "ReverseInput", "... on InsufficientPoints { available requested }", **undone
    )
    assert (refused["available"], refused["requested"]) == (700, 1000)
    dry = await refund(operator, card, dryRun=True)
    assert (dry["amount"], dry["operation"], dry["wallet"]) == ({"amount": "7.00"}, None, {"available": 700})
    paid_back = await refund(operator, card)
    assert (paid_back["amount"], paid_back["wallet"]) == ({"amount": "7.00"}, {"available": 0})
    second = await top_up(operator, card, "5.00", bonus={"amount": "1.00", **USD})
    undone = {"operation": second["operation"]["id"], "reason": "wrong card"}
    reversal = await operator.do("reverse", "ReverseInput", "... on Reversed { taken operation { title } }", **undone)
    assert reversal["taken"] == 600
    query = (
        'query ($by: MemberRef!) { member(by: $by) { wallet(currency: "GCARD") { balance lifetime { toppedUp } } } }'
    )
    wallet = (await operator.run(query, by=by_card(card)))["member"]["wallet"]
    assert wallet == {"balance": 0, "lifetime": {"toppedUp": 300}}


async def test_l04_a_lot_says_whether_it_was_paid_for(operator: Client, card: str) -> None:
    await top_up(operator, card, "5.00", bonus={"amount": "1.00", **USD})
    earned = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 7}
    await operator.do("earn", "EarnInput", "", **earned)
    query = "query ($by: MemberRef!) { member(by: $by) { wallets { lots { edges { node { granted paid } } } } } }"
    wallets = (await operator.run(query, by=by_card(card)))["member"]["wallets"]
    lots = sorted((lot["node"]["granted"], lot["node"]["paid"]) for one in wallets for lot in one["lots"]["edges"])
    assert lots == [(7, False), (100, False), (500, True)]


async def test_who_may(
    anonymous: Client, operator: Client, grocer: Client, fuel: Client, card: str, runtime: Any
) -> None:
    assert (await top_up(grocer, card, "10.00", bonus={"amount": "1.00", **USD}))["wallet"] == {"available": 1100}
    plain = viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id, scopes=[Scope.POINTS_EARN])
    refused = await top_up(anonymous.signed_in(plain), card, "10.00", bonus={"amount": "1.00", **USD})
    assert (refused["__typename"], refused["path"]) == ("NotAllowed", ["bonus"])
    for answer in (await top_up(fuel, card, "10.00"), await refund(fuel, card)):
        assert (answer["__typename"], answer["path"]) == ("NotAllowed", ["merchant"])
    query = "{ deposits { currency { code } outstanding { amount } } }"
    auditor = anonymous.signed_in(viewer_of("auditor"))
    for client in (grocer, auditor, operator):
        assert (await client.run(query))["deposits"] == [
            {"currency": {"code": "GCARD"}, "outstanding": {"amount": "10.00"}}
        ] or client is operator, "the operator's clock is before the top up"
    assert (await fuel.run(query))["deposits"] == []
    assert (await fuel.run('{ deposits(merchant: "grocer") { wallets } }'))["deposits"] == []


async def test_l05_refusals_are_typed(operator: Client, card: str) -> None:
    await top_up(operator, card, "10.00")
    there = {"merchant": "fuel", "member": by_card(card), "channel": "STORE", "currency": "GCARD", "points": 1}
    for name, kind in (("redeem", "RedeemInput"), ("holdPoints", "HoldPointsInput")):
        refused = await operator.do(name, kind, "... on StoredValueElsewhere { currency merchant }", **there)
        assert (refused["currency"], refused["merchant"]) == ("GCARD", "fuel")
    refused = await operator.do(
        "earn", "EarnInput", "... on StoredValueNotEarned { currency }", **there | {"merchant": "grocer"}
    )
    assert refused["currency"] == "GCARD"
    asked = {"member": by_card(card), "from": "GCARD", "to": "FUE", "pointsOut": 100}
    refused = await operator.do(
        "quoteExchange", "QuoteExchangeInput", "... on StoredValueNotExchanged { currency }", **asked
    )
    assert refused["currency"] == "GCARD"
