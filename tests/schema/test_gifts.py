"""Gifts, adjustments and reinstatement over the endpoint: who may, what both sides see, how it is refused."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from alliance.runtime import Runtime
from domain.ledger.commands import Expire
from domain.members.model import Member
from resolvers import ids
from resolvers.viewer import Scope
from tests.schema.support import NOW, Client, by_card, viewer_of

GIVEN = (
    '... on Transferred { points operation { id kind title change(currency: "GRO") } wallet { available } } '
    "... on GiftLimitExceeded { limit cap used } ... on InsufficientPoints { available requested }"
)
ADJUSTED = (
    "... on Adjusted { points operation { id kind title } wallet { available } } "
    "... on AdjustmentLimitExceeded { per cap used } ... on InsufficientPoints { available requested }"
)
REINSTATED = (
    "... on Reinstated { points expiresAt operation { kind title reverses { kind status } } wallet { available } } "
    "... on NothingToReinstate { available requested }"
)


async def earn(client: Client, card: str, points: int, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points} | more
    return await client.do("earn", "EarnInput", "... on Earned { points operation { id } }", **given)


async def give(client: Client, card: str, to: Any, points: int, **more: Any) -> Any:
    given = {"from": by_card(card), "to": to, "currency": "GRO", "points": points} | more
    return await client.do("transferPoints", "TransferPointsInput", GIVEN, **given)


async def adjust(client: Client, card: str, points: int, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "points": points, "reason": "goodwill"} | more
    return await client.do("adjustPoints", "AdjustPointsInput", ADJUSTED, **given)


async def activity(client: Client, card: str) -> list[Any]:
    query = (
        "query ($by: MemberRef!) { member(by: $by) { id activity { totalCount edges { node { "
        'id kind title status change(currency: "GRO") balanceAfter(currency: "GRO") member { id } } } } } }'
    )
    member = (await client.run(query, by=by_card(card)))["member"]
    nodes = [edge["node"] for edge in member["activity"]["edges"]]
    assert member["activity"]["totalCount"] == len(nodes)
    assert {node["member"]["id"] for node in nodes} <= {member["id"]}
    return nodes


@pytest.fixture
async def other(operator: Client) -> str:
    """The card of another member of the grocer's."""
    value = uuid.uuid4().hex[:12]
    given = {"merchant": "grocer", "channel": "STORE", "identifiers": [{"type": "CARD", "value": value}]}
    await operator.do("enrolMember", "EnrolMemberInput", "", **given)
    return value


async def test_r06_both_members_see_a_gift_each_from_their_side(operator: Client, card: str, other: str) -> None:
    await earn(operator, card, 100)
    given = await give(operator, card, by_card(other), 30, note="for you")
    assert (given["points"], given["wallet"]) == (30, {"available": 70})
    (gift, _), (received,) = await activity(operator, card), await activity(operator, other)
    assert given["operation"]["id"] == gift["id"] != received["id"]
    assert (gift["title"], gift["change"], gift["balanceAfter"]) == ("Points of Grocer given", -30, 70)
    assert (received["title"], received["change"], received["balanceAfter"]) == ("Points of Grocer received", 30, 30)
    (chinese,) = await activity(operator.speaking("zh-CN"), other)
    assert chinese["title"] == "收到Grocer积分转赠"
    query = "query ($id: ID!) { operation(id: $id) { title } node(id: $id) { id } }"
    for side in (gift, received):
        found = await operator.run(query, id=side["id"])
        assert found == {"operation": {"title": side["title"]}, "node": {"id": side["id"]}}


@pytest.mark.parametrize("side", [0, 1])
async def test_r06_a_gift_is_taken_back_from_either_side_once(
    operator: Client, card: str, other: str, side: int
) -> None:
    await earn(operator, card, 100)
    await give(operator, card, by_card(other), 30)
    seen = (await activity(operator, (card, other)[side]))[0]
    want = "... on Reversed { points restored operation { reverses { status } } } ... on GiftNotWhole { available }"
    undone = await operator.do("reverse", "ReverseInput", want, operation=seen["id"], reason="by mistake")
    assert (undone["points"], undone["restored"]) == (30, 30)
    for who, left in ((card, 100), (other, 0)):
        back, gift = (await activity(operator, who))[:2]
        assert (back["kind"], back["balanceAfter"], gift["status"]) == ("REVERSAL", left, "REVERSED")
    again = await operator.do("reverse", "ReverseInput", want, operation=seen["id"], reason="again")
    assert again["code"] == "ALREADY_REVERSED"


async def test_r06_a_gift_that_was_spent_is_not_taken_back(operator: Client, card: str, other: str) -> None:
    await earn(operator, card, 100)
    given = await give(operator, card, by_card(other), 30)
    spend = {"merchant": "grocer", "member": by_card(other), "channel": "STORE", "points": 1}
    await operator.do("redeem", "RedeemInput", "", **spend)
    want = "... on GiftNotWhole { points available }"
    refused = await operator.do("reverse", "ReverseInput", want, operation=given["operation"]["id"], reason="x")
    assert (refused["code"], refused["points"], refused["available"]) == ("GIFT_NOT_WHOLE", 30, 29)


async def test_r06_gifts_are_refused_by_name(operator: Client, runtime: Runtime, card: str, other: str) -> None:
    await earn(operator, card, 2000)
    cases: list[tuple[dict[str, Any], str, list[str]]] = [
        ({"to": by_card(card)}, "INVALID_INPUT", ["to"]),
        ({"to": by_card("nobody")}, "NOT_FOUND", ["to"]),
        ({"to": {"identifier": {"type": "TATTOO", "value": "x"}}}, "INVALID_INPUT", ["to", "identifier", "type"]),
        ({"from": by_card("nobody")}, "NOT_FOUND", ["from"]),
        ({"currency": "NIL"}, "NOT_FOUND", ["currency"]),
        ({"currency": "FUE"}, "GIFTS_NOT_ALLOWED", ["currency"]),
        ({"points": 0}, "INVALID_INPUT", ["points"]),
        ({"points": 1001}, "GIFT_LIMIT_EXCEEDED", ["points"]),
    ]
    for change, code, path in cases:
        given: dict[str, Any] = {"to": by_card(other), "points": 5} | change
        refused = await give(operator, card, given.pop("to"), given.pop("points"), **given)
        assert (refused.get("code"), refused.get("path")) == (code, path), change
    found = (await operator.run("query ($b: MemberRef!) { member(by: $b) { id } }", b=by_card(other)))["member"]
    async with runtime.database.transaction() as session:
        (member_id,) = ids.decode_as("Member", found["id"], 1)
        await session.execute(update(Member).where(Member.id == member_id).values(status="FROZEN"))
    frozen = await give(operator, card, by_card(other), 5)
    assert (frozen["code"], frozen["path"]) == ("MEMBER_NOT_ACTIVE", ["to"])


async def test_r06_members_give_of_their_own_merchants_their_own_points(
    anonymous: Client, operator: Client, grocer: Client, fuel: Client, card: str, other: str
) -> None:
    await earn(grocer, card, 100)
    found = await operator.run("query ($b: MemberRef!) { member(by: $b) { id number } }", b=by_card(card))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    ann = anonymous.signed_in(viewer_of("member", member_id=member_id))
    given = await give(ann, card, by_card(other), 5)
    assert given["wallet"] == {"available": 95}
    refused = await give(ann, other, by_card(card), 5)
    assert (refused["code"], refused["path"]) == ("NOT_FOUND", ["from"])
    (seen, _) = await activity(ann, card)
    assert seen["title"] == "Points of Grocer given"
    bobs = (await activity(operator, other))[0]["id"]
    assert (await ann.run("query ($id: ID!) { operation(id: $id) { id } }", id=bobs))["operation"] is None
    assert (await give(grocer, card, by_card(other), 5))["points"] == 5
    stranger = await give(fuel, card, by_card(other), 5)
    assert (stranger["code"], stranger["path"]) == ("NOT_ALLOWED", ["currency"])
    blind = anonymous.signed_in(viewer_of("member", member_id=member_id, scopes={Scope.POINTS_READ}))
    document = "mutation ($i: TransferPointsInput!) { transferPoints(input: $i) { __typename } }"
    given = {"idempotencyKey": "k" * 8, "from": by_card(card), "to": by_card(other), "currency": "GRO", "points": 1}
    (error,) = await blind.errors(document, i=given)
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_r27_a_gift_is_made_once_a_key_and_a_dry_run_makes_none(operator: Client, card: str, other: str) -> None:
    await earn(operator, card, 100)
    tried = await give(operator, card, by_card(other), 5, dryRun=True)
    assert (tried["points"], tried["operation"], tried["wallet"]) == (5, None, {"available": 100})
    for _ in range(2):
        given = await give(operator, card, by_card(other), 5, idempotencyKey="gift-00001")
        assert given.get("wallet") == {"available": 95}, given


async def test_a1_a_gift_makes_nothing_owed(operator: Client, runtime: Runtime, card: str, other: str) -> None:
    at_fuel = {"merchant": "fuel", "currency": "GRO"}
    await earn(operator, card, 100, **at_fuel)
    await give(operator, card, by_card(other), 60)
    query = "{ alliance { openCycle { obligations { totalCount } } } }"
    assert (await operator.run(query))["alliance"]["openCycle"]["obligations"]["totalCount"] == 1


async def test_a16_adjustments_up_down_and_past_the_limit(operator: Client, card: str) -> None:
    up = await adjust(operator, card, 100)
    assert (up["points"], up["wallet"], up["operation"]["kind"]) == (100, {"available": 100}, "ADJUST")
    assert up["operation"]["title"] == "Adjustment by Grocer"
    down = await adjust(operator, card, -30)
    assert (down["points"], down["wallet"]) == (-30, {"available": 70})
    below = await adjust(operator, card, -71)
    assert (below["code"], below["available"], below["requested"]) == ("INSUFFICIENT_POINTS", 70, 71)
    over = await adjust(operator, card, 1001)
    assert (over["code"], over["per"], over["cap"]) == ("ADJUSTMENT_LIMIT_EXCEEDED", "ONE", 1000)
    for bad, path in (({"points": 0}, ["points"]), ({"reason": " "}, ["reason"])):
        refused = await adjust(operator, card, **{"points": 5} | bad)
        assert (refused["code"], refused["path"]) == ("INVALID_INPUT", path)
    totals = 'query ($b: MemberRef!) { member(by: $b) { wallet(currency: "GRO") { lifetime { adjusted earned } } } }'
    found = (await operator.run(totals, b=by_card(card)))["member"]["wallet"]["lifetime"]
    assert found == {"adjusted": 70, "earned": 0}


async def test_a01_a_partner_funds_what_its_staff_gives(operator: Client, fuel: Client, card: str) -> None:
    given = await adjust(fuel, card, 100, merchant="fuel", currency="GRO")
    assert given["points"] == 100
    query = (
        "{ alliance { openCycle { obligations { edges { node { kind debtor { code } creditor { code } points "
        "amount { amount } } } } } } }"
    )
    edges = (await operator.run(query))["alliance"]["openCycle"]["obligations"]["edges"]
    owed = {"kind": "EARN", "debtor": {"code": "fuel"}, "creditor": {"code": "grocer"}, "points": 100}
    assert [edge["node"] for edge in edges] == [owed | {"amount": {"amount": "0.900000"}}]
    want = "... on Reversed { taken }"
    await fuel.do("reverse", "ReverseInput", want, operation=given["operation"]["id"], reason="by mistake")
    edges = (await operator.run(query))["alliance"]["openCycle"]["obligations"]["edges"]
    assert sum(edge["node"]["points"] for edge in edges) == 0
    taken = await adjust(fuel, card, -1, merchant="fuel", currency="GRO")
    assert (taken["code"], taken["path"]) == ("NOT_ALLOWED", ["points"])
    other = await adjust(fuel, card, 1)
    assert (other["code"], other["path"]) == ("NOT_ALLOWED", ["merchant"])
    stranger = await adjust(operator, card, 5, currency="FUE")
    assert stranger["code"] == "NO_AGREEMENT"


async def test_r05_expired_points_come_back_for_thirty_days(operator: Client, runtime: Runtime, card: str) -> None:
    await earn(operator, card, 50)
    later = operator.at(NOW + timedelta(days=400))
    found = await operator.run("query ($b: MemberRef!) { member(by: $b) { id } }", b=by_card(card))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    gone = await runtime.engine.post(
        Expire(
            holder_id=member_id,
            currency="GRO",
            issuer_id=runtime.catalogue.currencies["GRO"].merchant_id,
            key=None,
            client_id=None,
            as_of=NOW + timedelta(days=400),
            occurred_at=NOW + timedelta(days=400),
        )
    )
    assert gone.operation_id is not None
    given: dict[str, Any] = {"operation": ids.encode("Operation", member_id, gone.operation_id), "reason": "goodwill"}
    back = await later.do("reinstatePoints", "ReinstatePointsInput", REINSTATED, points=20, **given)
    assert (back["points"], back["wallet"]) == (20, {"available": 20})
    assert back["expiresAt"] == "2018-08-06T04:00:00+00:00", "the end of the 30th day in the grocer's zone"
    assert back["operation"] == {
        "kind": "REINSTATE",
        "title": "Points of Grocer reinstated",
        "reverses": {"kind": "EXPIRE", "status": "PARTLY_REVERSED"},
    }
    rest = await later.do("reinstatePoints", "ReinstatePointsInput", REINSTATED, **given)
    assert (rest["points"], rest["wallet"]) == (30, {"available": 50})
    assert rest["operation"]["reverses"]["status"] == "REVERSED"
    none = await later.do("reinstatePoints", "ReinstatePointsInput", REINSTATED, **given)
    assert (none["code"], none["available"]) == ("NOTHING_TO_REINSTATE", 0)
    nothing = await later.do(
        "reinstatePoints", "ReinstatePointsInput", REINSTATED, operation="nonsense", reason="goodwill"
    )
    assert (nothing["code"], nothing["path"]) == ("NOT_FOUND", ["operation"])
