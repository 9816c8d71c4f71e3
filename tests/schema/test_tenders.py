"""Orders paid in points over the endpoint (R8, R23): a tender names the redemption that paid it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.schema.support import NOW, Client, by_card

EARNED = (
    "... on Earned { points operation { id paidWith { id kind } } wallet { balance } }"
    " ... on TenderDiffers { worth currency }"
)
REVERSED = "... on Reversed { taken restored expired shortfall operation { id } } ... on AlreadyReversed { path }"
MINE = (
    'query($card: String!) { member(by: {identifier: {type: "CARD", issuer: "grocer", value: $card}})'
    " { wallets { available } } }"
)
LINES = [
    {"ref": str(n), "quantity": "1", "amount": {"amount": amount, "currency": "USD"}}
    for n, amount in enumerate(("60.00", "40.00"), 1)
]


@pytest.fixture
async def rich(operator: Client, card: str) -> str:
    """A card with 5,000 GRO, which are worth 50.00."""
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 5000}
    assert (await operator.do("earn", "EarnInput", "", **given))["__typename"] == "Earned"
    return card


async def spend(client: Client, card: str, points: int = 2000, merchant: str = "grocer", **input: Any) -> str:
    given = {"merchant": merchant, "member": by_card(card), "channel": "STORE", "points": points, "currency": "GRO"}
    done = await client.do("redeem", "RedeemInput", "... on Redeemed { operation { id } }", **given | input)
    found: str = done["operation"]["id"]
    return found


def tenders(operation: str | None, points: str = "20.00", money: str = "80.00", kind: str = "POINTS") -> Any:
    paid = {"kind": kind, "amount": {"amount": points, "currency": "USD"}}
    if operation is not None:
        paid["operation"] = operation
    return [paid, {"kind": "MONEY", "amount": {"amount": money, "currency": "USD"}}]


async def buy(client: Client, card: str, paid: Any, **input: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "tenders": paid, "lines": LINES}
    return await client.do("earn", "EarnInput", EARNED, **given | input)


async def back(client: Client, operation: str, **input: Any) -> Any:
    return await client.do("reverse", "ReverseInput", REVERSED, operation=operation, reason="returned", **input)


async def test_r08_a_hundred_paid_as_twenty_in_points_and_eighty_in_money_earns_on_eighty(
    operator: Client, rich: str
) -> None:
    """And is not charged twice (R23): 5,000 less the 2,000 that were spent, and the 80."""
    spent = await spend(operator, rich)
    bought = await buy(operator, rich, tenders(spent))
    assert (bought["points"], bought["wallet"]) == (80, {"balance": 3080})
    assert bought["operation"]["paidWith"] == [{"id": spent, "kind": "REDEEM"}]


async def test_r08_a_hold_that_was_captured_is_a_tender(operator: Client, rich: str) -> None:
    given = {"merchant": "grocer", "member": by_card(rich), "channel": "STORE", "points": 2500}
    held = await operator.do("holdPoints", "HoldPointsInput", "... on Held { hold { id } }", **given)
    done = await operator.do(
        "captureHold",
        "CaptureHoldInput",
        "... on Captured { operation { id } }",
        hold=held["hold"]["id"],
        points=2000,
    )
    assert (await buy(operator, rich, tenders(done["operation"]["id"])))["points"] == 80


async def test_r08_a_tender_that_is_none_is_refused_by_name(operator: Client, grocer: Client, rich: str) -> None:
    spent = await spend(operator, rich)
    less = await buy(operator, rich, tenders(spent, "19.99", "80.01"))
    assert (less["__typename"], less["worth"], less["path"]) == ("TenderDiffers", "20.00", ["tenders", "0", "amount"])
    stored = await buy(operator, rich, tenders(spent, kind="STORED_VALUE"))
    assert (stored["code"], stored["path"]) == ("NOT_A_TENDER", ["tenders", "0", "operation"])
    first = await buy(operator, rich, tenders(None))
    assert (await buy(operator, rich, tenders(first["operation"]["id"])))["code"] == "NOT_A_TENDER"
    elsewhere = await spend(operator, rich, merchant="fuel")
    for stranger in (elsewhere, "nothing"):
        refused = await buy(operator, rich, tenders(stranger))
        assert (refused["__typename"], refused["path"]) == ("NotFound", ["tenders", "0", "operation"])
    assert (await buy(operator, rich, tenders(spent), dryRun=True))["points"] == 80
    assert (await buy(operator, rich, tenders(spent)))["points"] == 80
    assert (await buy(operator, rich, tenders(spent)))["code"] == "TENDER_USED"
    twice = await spend(operator, rich, 1000)
    both = [*tenders(twice, "10.00", "80.00"), tenders(twice, "10.00")[0]]
    refused = await buy(operator, rich, both)
    assert (refused["code"], refused["path"]) == ("TENDER_USED", ["tenders", "2", "operation"])
    await back(operator, twice)
    assert (await buy(operator, rich, tenders(twice, "10.00", "90.00")))["code"] == "ALREADY_REVERSED"


async def test_r08_of_a_redemption_that_came_back_in_part_the_rest_is_a_tender(operator: Client, rich: str) -> None:
    spent = await spend(operator, rich)
    await back(operator, spent, points=500)
    assert (await buy(operator, rich, tenders(spent)))["worth"] == "15.00"
    assert (await buy(operator, rich, tenders(spent, "15.00", "85.00")))["points"] == 85


async def test_r23_what_was_earned_and_what_was_spent_are_two_decisions(operator: Client, rich: str) -> None:
    """The line of 40.00 comes back: of the 80 earned 32, of the 2,000 spent 800. Then the rest."""
    spent = await spend(operator, rich)
    bought = await buy(operator, rich, tenders(spent))
    earned = bought["operation"]["id"]
    taken = await back(operator, earned, lines=[{"ref": "2"}])
    assert (taken["taken"], taken["restored"]) == (32, 0)
    restored = await back(operator, spent, lines=[{"ref": "2"}])
    assert (restored["taken"], restored["restored"]) == (0, 800)
    assert (await back(operator, spent))["restored"] == 1200
    assert (await back(operator, earned))["taken"] == 48
    assert (await back(operator, spent))["__typename"] == "AlreadyReversed"


async def test_r23_without_an_order_spent_points_come_back_by_number(operator: Client, rich: str) -> None:
    spent = await spend(operator, rich)
    refused = await back(operator, spent, lines=[{"ref": "2"}])
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["lines"])


async def test_r20_who_was_at_fault_is_said(operator: Client, rich: str) -> None:
    spent = await spend(operator, rich)
    late = operator.at(NOW + timedelta(days=400))
    assert (await back(late, spent, points=500))["expired"] == 500
    assert (await back(late, spent, points=500, merchantAtFault=True))["expired"] == 0
    assert (await late.run(MINE, card=rich))["member"]["wallets"] == [{"available": 500}]
    refused = await back(operator, (await buy(operator, rich, []))["operation"]["id"], merchantAtFault=True)
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["merchantAtFault"])


async def test_a01_r15_points_of_one_brand_and_cash_pay_at_another(operator: Client, rich: str) -> None:
    """20.00 of an order at the filling station in the grocer's points, the rest in money, which alone earns."""
    want = "... on Redeemed { points worth { amount } operation { id } obligations { kind amount { amount } } }"
    asked = {"merchant": "fuel", "member": by_card(rich), "channel": "STORE", "currency": "GRO", "points": 2000}
    order = {"orderAmount": {"amount": "100.00", "currency": "USD"}}
    spent = await operator.do("redeem", "RedeemInput", want, **asked, **order)
    assert (spent["points"], spent["worth"]) == (2000, {"amount": "20.00"})
    assert spent["obligations"] == [{"kind": "SPEND", "amount": {"amount": "18.000000"}}]
    paid = tenders(spent["operation"]["id"])
    bought = await buy(operator, rich, paid, merchant="fuel", currency="FUE")
    assert (bought["points"], bought["operation"]["paidWith"]) == (
        160,
        [{"id": spent["operation"]["id"], "kind": "REDEEM"}],
    )
    undone = await back(operator, spent["operation"]["id"], points=500)
    assert undone["restored"] == 500
