"""Who sees what: members what is theirs, merchants their own members, points and side of the alliance (A14)."""

import uuid
from typing import Any

import pytest

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of

MEMBER = """
query ($by: MemberRef!) { member(by: $by) {
  id number identifiers { type issuer value } memberships { merchant { code } }
  wallets { currency { code } balance } gro: wallet(currency: "GRO") { id balance } fue: wallet(currency: "FUE") { id }
  activity { totalCount edges { node { id kind merchant { code } transfers { points currency { code } } } } }
  exchangeOptions(from: "GRO") { to { code } }
} }"""


@pytest.fixture
async def member(operator: Client, card: str) -> Any:
    """A member of both merchants, with points of both; seen by the operator."""
    refs = [{"type": "CARD", "issuer": "grocer", "value": card}, {"type": "PHONE", "value": "+16145550100"}]
    await operator.do("enrolMember", "EnrolMemberInput", "", merchant="fuel", channel="APP", identifiers=refs)
    for merchant, currency, points in (("grocer", "GRO", 500), ("fuel", "FUE", 50), ("fuel", "GRO", 7)):
        earned = await operator.do(
            "earn",
            "EarnInput",
            "",
            merchant=merchant,
            currency=currency,
            points=points,
            channel="STORE",
            member=by_card(card),
        )
        assert earned["__typename"] == "Earned"
    quote = await operator.do(
        "quoteExchange",
        "QuoteExchangeInput",
        "... on Quoted { quote { id } }",
        member=by_card(card),
        to="FUE",
        pointsOut=100,
        **{"from": "GRO"},
    )
    await operator.do("exchangePoints", "ExchangePointsInput", "", quote=quote["quote"]["id"])
    return (await operator.run(MEMBER, by=by_card(card)))["member"]


async def test_the_operator_sees_all(member: Any, card: str) -> None:
    assert [m["merchant"]["code"] for m in member["memberships"]] == ["grocer", "fuel"]
    assert {w["currency"]["code"]: w["balance"] for w in member["wallets"]} == {"GRO": 407, "FUE": 130}
    assert member["activity"]["totalCount"] == 4
    assert {i["value"] for i in member["identifiers"]} == {card, "+16145550100"}


async def test_a14_a_merchant_sees_its_own(fuel: Client, grocer: Client, member: Any, card: str) -> None:
    seen = (await fuel.run(MEMBER, by={"id": member["id"]}))["member"]
    assert [m["merchant"]["code"] for m in seen["memberships"]] == ["fuel"]
    assert [w["currency"]["code"] for w in seen["wallets"]] == ["FUE"]
    assert seen["gro"] is None
    assert [i["type"] for i in seen["identifiers"]] == ["PHONE"]
    moved = {
        (e["node"]["kind"], t["currency"]["code"], t["points"])
        for e in seen["activity"]["edges"]
        for t in e["node"]["transfers"]
    }
    assert moved == {("EARN", "FUE", 50), ("EARN", "GRO", 7), ("EXCHANGE", "FUE", 80)}
    own = (await grocer.run(MEMBER, by={"id": member["id"]}))["member"]
    assert {e["node"]["merchant"]["code"] for e in own["activity"]["edges"]} == {"grocer", "fuel"}
    assert own["activity"]["totalCount"] == 3
    wallet = await fuel.run("query ($id: ID!) { node(id: $id) { __typename } }", id=member["gro"]["id"])
    assert wallet["node"] is None


async def test_masking(anonymous: Client, runtime: Runtime, member: Any, card: str) -> None:
    merchant_id = runtime.catalogue.merchants["grocer"].id
    till = anonymous.signed_in(viewer_of("merchant", merchant_id=merchant_id, scopes=["members:read"]))
    query = "query ($by: MemberRef!) { member(by: $by) { identifiers { value } } }"
    masked = {i["value"] for i in (await till.run(query, by=by_card(card)))["member"]["identifiers"]}
    assert masked == {f"•••{card[-4:]}", "•••0100"}
    auditor = anonymous.signed_in(viewer_of("auditor"))
    assert (await auditor.run(query, by={"id": member["id"]}))["member"]["identifiers"] == []


async def test_a_member_sees_their_own_alone(anonymous: Client, operator: Client, member: Any) -> None:
    member_id = ids.decode_as("Member", member["id"], 1)[0]
    own = anonymous.signed_in(viewer_of("member", member_id=member_id))
    query = "query ($by: MemberRef!) { member(by: $by) { number activity { totalCount } } }"
    assert (await own.run(query, by={"number": member["number"]}))["member"]["number"] == member["number"]
    assert (await own.run("{ viewer { member { number } } }"))["viewer"]["member"]["number"] == member["number"]
    other = anonymous.signed_in(viewer_of("member", member_id=uuid.uuid4()))
    assert (await other.run(query, by={"id": member["id"]}))["member"] is None
    operation = member["activity"]["edges"][0]["node"]["id"]
    find = "query ($id: ID!) { operation(id: $id) { kind } node(id: $id) { id } }"
    assert await other.run(find, id=operation) == {"operation": None, "node": None}
    assert (await own.run(find, id=operation))["operation"]["kind"] == "EXCHANGE"
    assert (await own.errors("{ members { totalCount } }"))[0]["extensions"]["code"] == "FORBIDDEN"


async def test_merchants_do_not_find_others_members(fuel: Client, card: str, operator: Client) -> None:
    known = (await operator.run("query ($by: MemberRef!) { member(by: $by) { id number } }", by=by_card(card)))[
        "member"
    ]
    query = "query ($by: MemberRef!) { member(by: $by) { id } }"
    for by in ({"id": known["id"]}, {"number": known["number"]}, by_card(card)):
        assert (await fuel.run(query, by=by))["member"] is None
    assert (await fuel.run("{ members { totalCount edges { node { id } } } }"))["members"] == {
        "totalCount": 0,
        "edges": [],
    }


async def test_nodes_keep_their_order(operator: Client, member: Any) -> None:
    wanted = [
        member["gro"]["id"],
        "garbage",
        member["id"],
        ids.encode_code("Merchant", "fuel"),
        ids.encode_code("PointsCurrency", "GRO"),
        ids.encode_code("Merchant", "nowhere"),
        member["activity"]["edges"][0]["node"]["id"],
        "é" * 10,
        ids.encode("Member", uuid.uuid4()),
    ]
    found = (await operator.run("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=wanted))["nodes"]
    kinds = [None if node is None else node["__typename"] for node in found]
    assert kinds == ["Wallet", None, "Member", "Merchant", "PointsCurrency", None, "Operation", None, None]
    assert [node["id"] for node in found if node] == [w for w, kind in zip(wanted, kinds, strict=True) if kind]
    stores = await operator.run(
        '{ merchant(code: "grocer") { store(code: "330") { id } none: store(code: "x") { id } } }'
    )
    store = stores["merchant"]["store"]["id"]
    assert (await operator.run("query ($id: ID!) { node(id: $id) { ... on Store { name } } }", id=store))["node"] == {
        "name": "Store 330"
    }
    assert stores["merchant"]["none"] is None
    alliance = (await operator.run("{ alliance { id } }"))["alliance"]["id"]
    assert (await operator.run("query ($id: ID!) { node(id: $id) { id } }", id=alliance))["node"]["id"] == alliance


async def test_federation_entities(operator: Client, member: Any) -> None:
    query = """query ($r: [_Any!]!) { _entities(representations: $r) {
      ... on Member { number } ... on Merchant { code name } } _service { sdl } }"""
    keys = [
        {"__typename": "Member", "id": member["id"]},
        {"__typename": "Member", "number": member["number"]},
        {"__typename": "Merchant", "code": "fuel"},
        {"__typename": "Merchant", "code": "nowhere"},
    ]
    found = await operator.run(query, r=keys)
    number = {"number": member["number"]}
    assert found["_entities"] == [number, number, {"code": "fuel", "name": "Fuel"}, None]
    assert 'type Member implements Node @key(fields: "id") @key(fields: "number")' in found["_service"]["sdl"]
