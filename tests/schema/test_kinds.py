"""Several kinds of points over the endpoint, and in feeds (R11)."""

import json
import uuid
from typing import Any

import pytest

from alliance.intake.commands import Sender, take
from alliance.runtime import Runtime
from domain.ledger.request import Posted
from tests.alliance.kinds import file_of, put_in_force
from tests.schema.support import NOW, Client, by_card

USD = {"currency": "USD"}
EARNED = (
    "... on Earned { points decidedBy { rule points currency } wallet { currency { code } } operation { id "
    'transfers { points currency { code kind } } change(currency: "VIP") balanceAfter(currency: "STAMP") } }'
)


@pytest.fixture(autouse=True)
async def kinds(runtime: Runtime) -> None:
    await put_in_force(runtime, file_of())


async def earn(client: Client, card: str, amount: str, **more: Any) -> Any:
    sent = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "amount": {"amount": amount} | USD}
    return await client.do("earn", "EarnInput", EARNED, **(sent | more))


async def test_r11_one_earn_answers_with_every_kind(operator: Client, card: str) -> None:
    dry = await earn(operator, card, "7.60", dryRun=True)
    real = await earn(operator, card, "7.60")
    decided = [
        {"rule": "base", "points": 8, "currency": "GRO"},
        {"rule": "stamp", "points": 1, "currency": "STAMP"},
        {"rule": "credits", "points": 7, "currency": "VIP"},
    ]
    assert dry["decidedBy"] == real["decidedBy"] == decided
    assert (dry["operation"], real["points"], real["wallet"]) == (None, 8, {"currency": {"code": "GRO"}})
    operation = real["operation"]
    assert [(moved["points"], moved["currency"]["kind"]) for moved in operation["transfers"]] == [
        (8, "points"),
        (1, "stamps"),
        (7, "tier_credits"),
    ]
    assert (operation["change"], operation["balanceAfter"]) == (7, 1)


async def test_r11_refusals_are_typed(operator: Client, card: str) -> None:
    sent = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 1}
    credits = await operator.do("redeem", "RedeemInput", "... on NotSpendable { currency }", **sent, currency="VIP")
    assert (credits["__typename"], credits["code"], credits["currency"]) == ("NotSpendable", "NOT_SPENDABLE", "VIP")
    chinese, want = operator.speaking("zh-CN"), "... on WholeCardsOnly { card currency }"
    stamps = await chinese.do("holdPoints", "HoldPointsInput", want, **sent, currency="STAMP")
    assert (stamps["__typename"], stamps["card"], stamps["path"]) == ("WholeCardsOnly", 10, ["points"])
    assert stamps["message"] == "STAMP 须按整卡（10 枚）使用"


async def test_r11_a_feed_grants_every_kind_and_takes_it_back(runtime: Runtime) -> None:
    client = uuid.uuid4()
    sender = Sender(client, client, b"secret", merchant_id=None, may_give=True, may_reverse=True)
    line = {"merchant": "grocer", "member": {"type": "CARD", "value": "77"}, "channel": "STORE"}
    bought = line | {"key": "purchase-1", "orderRef": "one", "amount": {"amount": "20.00"} | USD}
    back = line | {"key": "purchase-2", "type": "RETURN", "of": "one", "restore": False}
    seen = []
    for sent in (bought, back):
        [answer] = await take(runtime, sender, [json.dumps(sent).encode()], NOW)
        assert isinstance(answer.outcome, Posted)
        connection = await runtime.database.connect()
        try:
            seen.append(dict(await connection.fetch("SELECT currency, posted FROM account ORDER BY 1")))
        finally:
            await connection.close()
    assert seen == [{"GRO": 20, "STAMP": 1, "VIP": 20}, {"GRO": 0, "STAMP": 0, "VIP": 0}]
