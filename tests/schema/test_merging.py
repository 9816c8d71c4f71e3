"""Merging over the endpoint: old names lead to the survivor, whose history is whole; who may, and who learns what."""

import uuid
from typing import Any

from alliance.runtime import Runtime
from alliance.verify import verify
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_statements import earn

MOVED = "moved { currency points lots debt } memberships"
WHOLE = """query ($by: MemberRef!) { member(by: $by) {
  id number formerly { number } identifiers { type value } memberships { merchant { code } }
  activity(first: 10) { totalCount edges { node { kind title change(currency: "GRO") } } }
  wallet(currency: "GRO") { balance available pending lifetime { earned spent givenIn givenOut }
    statement(first: 10) { totalCount edges { node { change balanceAfter title } } } } } }"""


async def enrol(operator: Client, merchant: str = "grocer") -> tuple[str, dict[str, Any]]:
    value = uuid.uuid4().hex[:12]
    found = await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { member { id number } }",
        merchant=merchant,
        channel="STORE",
        identifiers=[{"type": "CARD", "issuer": merchant, "value": value}],
    )
    return value, found["member"]


async def merge(client: Client, survivor: Any, absorbed: Any, **more: Any) -> Any:
    asked = {"survivor": survivor, "absorbed": absorbed, "reason": "one person"} | more
    want = f"... on MembersMerged {{ number survivor {{ id }} {MOVED} }} ... on MergeBlocked {{ obstacles {{ kind }} }}"
    return await client.do("mergeMembers", "MergeMembersInput", want, **asked)


async def unmerge(client: Client, absorbed: Any, **more: Any) -> Any:
    asked = {"absorbed": absorbed, "reason": "two persons after all"} | more
    want = f"""... on MemberUnmerged {{ survivor {{ number }} absorbed {{ number status }} {MOVED} }}
               ... on UnmergeBlocked {{ obstacles {{ kind currency points }} }}"""
    return await client.do("unmergeMembers", "UnmergeMembersInput", want, **asked)


async def redeem(client: Client, card: str, points: int) -> Any:
    asked = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points}
    return await client.do("redeem", "RedeemInput", "... on Redeemed { points operation { id } }", **asked)


async def test_whatever_a_member_was_called_leads_to_the_survivor(operator: Client, grocer: Client) -> None:
    card, gone = await enrol(operator)
    other, stays = await enrol(operator, "fuel")
    await earn(operator, card, 100)
    spent = await redeem(operator, card, 30)
    would = await merge(operator, {"number": stays["number"]}, by_card(card), dryRun=True)
    done = await merge(operator, {"number": stays["number"]}, by_card(card))
    assert would["moved"] == done["moved"] == [{"currency": "GRO", "points": 70, "lots": 1, "debt": 0}]
    assert (done["number"], done["survivor"]["id"], done["memberships"]) == (stays["number"], stays["id"], 1)
    names = [by_card(card), {"id": gone["id"]}, {"number": gone["number"]}, {"number": stays["number"]}]
    seen = [(await operator.run(WHOLE, by=name))["member"] for name in names]
    assert seen[0] == seen[1] == seen[2] == seen[3]
    whole = seen[0]
    assert (whole["id"], whole["number"], whole["formerly"]) == (
        stays["id"],
        stays["number"],
        [{"number": gone["number"]}],
    )
    assert {one["value"] for one in whole["identifiers"]} == {card, other}
    assert {one["merchant"]["code"] for one in whole["memberships"]} == {"grocer", "fuel"}
    assert (await operator.run("query ($id: ID!) { node(id: $id) { id } }", id=gone["id"]))["node"]["id"] == stays["id"]
    mine = (await grocer.run(WHOLE, by={"number": gone["number"]}))["member"]
    assert (mine["number"], mine["memberships"]) == (stays["number"], [{"merchant": {"code": "grocer"}}])
    await earn(operator, card, 5)
    assert (await redeem(operator, card, 75))["points"] == 75
    back = await operator.do(
        "reverse", "ReverseInput", "... on Reversed { restored }", operation=spent["operation"]["id"], reason="returned"
    )
    assert back["restored"] == 30
    after = (await operator.run(WHOLE, by=by_card(card)))["member"]
    assert after["wallet"]["balance"] == 30
    listed = await operator.run("{ members(first: 100) { edges { node { number } } } }")
    numbers = [edge["node"]["number"] for edge in listed["members"]["edges"]]
    assert stays["number"] in numbers
    assert gone["number"] not in numbers


async def test_the_survivors_history_is_whole_and_its_statement_adds_up(operator: Client, runtime: Runtime) -> None:
    """Of what moved between the two nothing moved; a spending taken back later is of the one who spent."""
    one, _ = await enrol(operator)
    other, _ = await enrol(operator)
    await earn(operator, one, 100)
    await earn(operator, other, 40)
    spent = await redeem(operator, one, 30)
    gift = {"from": by_card(one), "to": by_card(other), "currency": "GRO", "points": 10}
    await operator.do("transferPoints", "TransferPointsInput", "... on Transferred { points }", **gift)
    await merge(operator, by_card(other), by_card(one))
    await redeem(operator, other, 25)
    await operator.do(
        "reverse", "ReverseInput", "... on Reversed { restored }", operation=spent["operation"]["id"], reason="returned"
    )
    seen = (await operator.run(WHOLE, by=by_card(other)))["member"]
    wallet = seen["wallet"]
    assert (wallet["balance"], wallet["available"]) == (115, 115)
    assert wallet["lifetime"] == {"earned": 140, "spent": 25, "givenIn": 10, "givenOut": 10}
    lines = [(edge["node"]["change"], edge["node"]["balanceAfter"]) for edge in wallet["statement"]["edges"]]
    assert lines == [(30, 115), (-25, 85), (-30, 110), (40, 140), (100, 100)]
    assert wallet["statement"]["totalCount"] == 5
    kinds = [edge["node"]["kind"] for edge in seen["activity"]["edges"]]
    assert kinds == ["MERGE", "REVERSAL", "REDEEM", "MERGE", "GIFT", "REDEEM", "EARN", "EARN"]
    assert seen["activity"]["totalCount"] == 8
    async with runtime.database.session() as session:
        assert (await verify(session)).differences == []


async def test_a_merge_is_undone_or_says_what_became_of_it(operator: Client) -> None:
    card, gone = await enrol(operator)
    _, stays = await enrol(operator, "fuel")
    await earn(operator, card, 100)
    await merge(operator, {"number": stays["number"]}, by_card(card))
    named = {"identifier": {"type": "CARD", "issuer": "grocer", "value": card}}
    assert (await unmerge(operator, named))["code"] == "INVALID_INPUT"
    assert (await unmerge(operator, {"number": stays["number"]}))["code"] == "NOT_MERGED"
    spent = await redeem(operator, card, 40)
    blocked = await unmerge(operator, {"number": gone["number"]})
    assert blocked["code"] == "UNMERGE_BLOCKED"
    assert blocked["obstacles"] == [{"kind": "SPENT", "currency": "GRO", "points": 40}]
    await operator.do(
        "reverse", "ReverseInput", "... on Reversed { restored }", operation=spent["operation"]["id"], reason="returned"
    )
    key = uuid.uuid4().hex
    done = await unmerge(operator, {"id": gone["id"]}, idempotencyKey=key)
    assert done["absorbed"] == {"number": gone["number"], "status": "ACTIVE"}
    assert (done["survivor"]["number"], done["memberships"]) == (stays["number"], 1)
    assert await unmerge(operator, {"id": gone["id"]}, idempotencyKey=key) == done
    seen = (await operator.run(WHOLE, by=by_card(card)))["member"]
    assert (seen["number"], seen["wallet"]["balance"], len(seen["identifiers"])) == (gone["number"], 100, 1)
    left = (await operator.run(WHOLE, by={"number": stays["number"]}))["member"]
    assert (left["formerly"], left["wallet"]["balance"], len(left["identifiers"])) == ([], 0, 1)
    assert {one["merchant"]["code"] for one in left["memberships"]} == {"fuel", "grocer"}  # a customer there since


async def test_what_keeps_members_apart_is_named(operator: Client) -> None:
    card, gone = await enrol(operator)
    _, stays = await enrol(operator)
    await earn(operator, card, 50)
    await operator.do(
        "holdPoints",
        "HoldPointsInput",
        "... on Held { hold { id } }",
        merchant="grocer",
        member=by_card(card),
        channel="STORE",
        points=20,
    )
    blocked = await merge(operator, {"number": stays["number"]}, by_card(card))
    assert (blocked["code"], blocked["obstacles"]) == ("MERGE_BLOCKED", [{"kind": "OPEN_HOLD"}])
    itself = await merge(operator, {"number": gone["number"]}, by_card(card))
    assert (itself["code"], itself["path"]) == ("INVALID_INPUT", ["absorbed"])
    nobody = await merge(operator, {"number": stays["number"]}, by_card("nobody"))
    assert (nobody["code"], nobody["path"]) == ("NOT_FOUND", ["absorbed"])


async def test_a14_only_the_operator_merges(grocer: Client, anonymous: Client, operator: Client) -> None:
    _, gone = await enrol(operator)
    query = """mutation ($by: MemberRef!) { mergeMembers(input: {
        idempotencyKey: "by-a-merchant", survivor: $by, absorbed: $by, reason: "x"}) { __typename } }"""
    member = anonymous.signed_in(viewer_of("member", member_id=uuid.uuid4()))
    for client in (grocer, member):
        [denied] = await client.errors(query, by={"number": gone["number"]})
        assert denied["extensions"]["code"] == "FORBIDDEN"


async def test_l07_what_either_said_of_messages_counts_and_identifiers_may_be_given_up(operator: Client) -> None:
    """The newest word of the person, whoever of the two said it."""
    card, gone = await enrol(operator)
    other, stays = await enrol(operator)
    said = {"merchant": "grocer", "purpose": "MARKETING", "channel": "EMAIL"}
    want = "... on ConsentGiven { __typename }"
    await operator.do("giveConsent", "GiveConsentInput", want, member=by_card(other), **said)
    await operator.do("withdrawConsent", "WithdrawConsentInput", "__typename", member=by_card(card), **said)
    await merge(operator, by_card(other), by_card(card))
    query = "query ($by: MemberRef!) { member(by: $by) { consents { given } } }"
    assert (await operator.run(query, by=by_card(other)))["member"]["consents"] == [{"given": False}]
    named = {"merchant": "grocer", "member": {"number": stays["number"]}, "identifier": by_card(card)["identifier"]}
    left = await operator.do("unlinkIdentifier", "UnlinkIdentifierInput", "__typename", **named)
    assert "code" not in left
    seen = (await operator.run(WHOLE, by={"number": gone["number"]}))["member"]
    assert [one["value"] for one in seen["identifiers"]] == [other]
