"""Statements of wallets, where lots come from, what was set aside, and what decided."""

import uuid
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from alliance.runtime import Runtime
from resolvers import ids
from resolvers.viewer import DEFAULT_SCOPES, Scope
from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_lists import counted, enrol

STATEMENT = """query ($by: MemberRef!, $from: DateTime, $to: DateTime, $first: Int, $after: String, $last: Int) {
  member(by: $by) { wallet(currency: "GRO") { balance
    statement(from: $from, to: $to, first: $first, after: $after, last: $last) {
      totalCount pageInfo { hasNextPage endCursor }
      edges { node { change balanceAfter title occurredAt bookedAt operation { id kind } } } } } } }"""
ORIGIN = """query ($by: MemberRef!, $in: String!) { member(by: $by) { wallet(currency: $in) { lots { edges { node { id
  granted expiresAt origin { kind operation { kind } decidedBy { kind rule version points }
                             sources { points lot { id remaining } } } } } } } } }"""
HOLDS = """query ($by: MemberRef!, $status: [HoldStatus!]) { member(by: $by) {
  holds(status: $status) { totalCount edges { node { points status currency { code } } } }
  wallet(currency: "GRO") {
    holds(first: 1, status: $status) { edges { node { points } } pageInfo { hasNextPage } } } } }"""
DECIDED = "query ($id: ID!) { operation(id: $id) { decidedBy { kind rule version points } } }"


@pytest.fixture
async def other(operator: Client) -> str:
    """The card of another member of the grocer's."""
    return (await enrol(operator, 1, uuid.uuid4().hex[:8]))[0]


async def earn(client: Client, card: str, points: int | None = None, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE"} | more
    if points is not None:
        given["points"] = points
    return await client.do("earn", "EarnInput", "... on Earned { points operation { id } }", **given)


async def redeem(client: Client, card: str, points: int, **more: Any) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points} | more
    return await client.do("redeem", "RedeemInput", "... on Redeemed { operation { id } }", **given)


async def give(client: Client, card: str, to: str, points: int) -> Any:
    given = {"from": by_card(card), "to": by_card(to), "currency": "GRO", "points": points}
    return await client.do("transferPoints", "TransferPointsInput", "", **given)


async def hold(client: Client, card: str, points: int) -> Any:
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": points}
    return (await client.do("holdPoints", "HoldPointsInput", "... on Held { hold { id } }", **given))["hold"]["id"]


async def exchange(client: Client, card: str, points: int) -> None:
    given = {"member": by_card(card), "from": "GRO", "to": "FUE", "pointsOut": points}
    quote = await client.do("quoteExchange", "QuoteExchangeInput", "... on Quoted { quote { id } }", **given)
    await client.do("exchangePoints", "ExchangePointsInput", "", quote=quote["quote"]["id"])


async def statement(client: Client, card: str, **asked: Any) -> Any:
    return (await client.run(STATEMENT, by=by_card(card), **asked))["member"]["wallet"]["statement"]


async def test_a_statement_has_every_movement_and_what_the_wallet_then_stood_at(
    operator: Client, card: str, other: str
) -> None:
    await earn(operator, card, 300)
    await redeem(operator, card, 20)
    await give(operator, card, other, 30)
    await exchange(operator, card, 100)
    whole = await statement(operator, card)
    moved = [(e["node"]["change"], e["node"]["balanceAfter"], e["node"]["title"]) for e in whole["edges"]]
    assert moved == [
        (-100, 150, "Points exchanged"),
        (-30, 250, "Points of Grocer given"),
        (-20, 280, "Points spent at Grocer"),
        (300, 300, "Points earned at Grocer"),
    ]
    assert whole["totalCount"] == 4
    assert [e["node"]["operation"]["kind"] for e in whole["edges"]] == ["EXCHANGE", "GIFT", "REDEEM", "EARN"]
    (received,) = (await statement(operator, other))["edges"]
    assert (received["node"]["change"], received["node"]["balanceAfter"]) == (30, 30)
    assert received["node"]["title"] == "Points of Grocer received"
    page = await statement(operator, card, first=3)
    rest = await statement(operator, card, first=3, after=page["pageInfo"]["endCursor"])
    assert page["edges"] + rest["edges"] == whole["edges"]
    assert (page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert (await statement(operator, card, last=1))["edges"] == whole["edges"][-1:]


async def test_a_statement_of_a_span_by_the_callers_clock_or_by_booking(operator: Client, card: str) -> None:
    for day in range(4):
        await earn(operator.at(NOW + timedelta(days=day)), card, 10 + day)
    asked = {"from": (NOW + timedelta(days=1)).isoformat(), "to": (NOW + timedelta(days=3)).isoformat()}
    by_clock = await statement(operator, card, **asked)
    assert ([e["node"]["change"] for e in by_clock["edges"]], by_clock["totalCount"]) == ([12, 11], 2)
    booked = operator.signed_in(viewer_of("operator"))
    assert (await statement(booked, card, **asked))["edges"] == []
    whole = await statement(booked, card)
    times = [edge["node"]["bookedAt"] for edge in whole["edges"]]
    spanned = await statement(booked, card, **{"from": times[2], "to": times[0]})
    assert [e["node"]["change"] for e in spanned["edges"]] == [12, 11]
    (error,) = await operator.errors(STATEMENT, by=by_card(card), **{"from": asked["to"], "to": asked["from"]})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "path": ["to"]}


async def test_lots_say_where_their_points_come_from(operator: Client, card: str, other: str) -> None:
    await earn(operator, card, amount={"amount": "300.00", "currency": "USD"})
    await give(operator, card, other, 30)
    await exchange(operator, card, 100)

    async def lot(who: str, currency: str) -> Any:
        found = await operator.run(ORIGIN, by=by_card(who), **{"in": currency})
        return found["member"]["wallet"]["lots"]["edges"][0]["node"]

    earned, given, exchanged = await lot(card, "GRO"), await lot(other, "GRO"), await lot(card, "FUE")
    rule = {"kind": "RULE", "rule": "base", "version": 1, "points": 300}
    origin = {"kind": "EARN", "operation": {"kind": "EARN"}, "decidedBy": [rule], "sources": []}
    assert earned["origin"] == origin
    source = {"id": earned["id"], "remaining": 170}
    assert (given["origin"]["kind"], given["origin"]["sources"]) == ("GIFT", [{"points": 30, "lot": source}])
    assert given["expiresAt"] == earned["expiresAt"]
    assert exchanged["origin"]["kind"] == "EXCHANGE"
    assert exchanged["origin"]["sources"] == [{"points": 100, "lot": source}]
    again = await operator.run("query ($id: ID!) { node(id: $id) { ... on Lot { granted } } }", id=given["id"])
    assert again == {"node": {"granted": 30}}


async def test_a_member_does_not_see_the_lot_that_another_gave_from(
    anonymous: Client, operator: Client, card: str, other: str
) -> None:
    await earn(operator, card, 100)
    await give(operator, card, other, 30)
    found = await operator.run("query ($by: MemberRef!) { member(by: $by) { id } }", by=by_card(other))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    scopes = DEFAULT_SCOPES["member"] | {Scope.CLOCK}
    bob = anonymous.signed_in(viewer_of("member", member_id=member_id, scopes=scopes)).at(NOW)
    seen = (await bob.run(ORIGIN, by=by_card(other), **{"in": "GRO"}))["member"]["wallet"]["lots"]["edges"]
    assert seen[0]["node"]["origin"]["sources"] == [{"points": 30, "lot": None}]
    whose = await operator.run(ORIGIN, by=by_card(card), **{"in": "GRO"})
    source = whose["member"]["wallet"]["lots"]["edges"][0]["node"]["id"]
    assert (await bob.run("query ($id: ID!) { node(id: $id) { id } }", id=source))["node"] is None


async def test_r14_holds_are_listed_by_status_as_of_now(operator: Client, fuel: Client, card: str) -> None:
    await earn(operator, card, 100)
    first = await hold(operator, card, 10)
    await hold(operator, card, 20)
    await operator.do("releaseHold", "ReleaseHoldInput", "", hold=first)
    await hold(operator, card, 30)

    async def listed(client: Client, **asked: Any) -> list[tuple[int, str]]:
        member = (await client.run(HOLDS, by=by_card(card), **asked))["member"]
        found = [(edge["node"]["points"], edge["node"]["status"]) for edge in member["holds"]["edges"]]
        assert member["holds"]["totalCount"] == len(found)
        assert [edge["node"]["points"] for edge in member["wallet"]["holds"]["edges"]] == [p for p, _ in found[:1]]
        assert member["wallet"]["holds"]["pageInfo"]["hasNextPage"] == (len(found) > 1)
        return found

    assert await listed(operator) == [(30, "OPEN"), (20, "OPEN"), (10, "RELEASED")]
    assert await listed(operator, status=["OPEN"]) == [(30, "OPEN"), (20, "OPEN")]
    later = operator.at(NOW + timedelta(hours=1))
    assert await listed(later, status=["LAPSED"]) == [(30, "LAPSED"), (20, "LAPSED")]
    assert await listed(later, status=["OPEN"]) == []
    assert (await fuel.run("query ($by: MemberRef!) { member(by: $by) { holds { totalCount } } }", by=by_card(card)))[
        "member"
    ] is None


async def test_a14_agreements_that_decided_are_told_to_their_merchants(
    anonymous: Client, operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    spend = {"merchant": "fuel", "currency": "GRO"}
    purchase = {"amount": {"amount": "300.00", "currency": "USD"}, "orderRef": "7"}
    made = (await earn(operator, card, **spend, **purchase))["operation"]["id"]
    spent = (await redeem(operator, card, 60, **spend))["operation"]["id"]
    found = await operator.run("query ($by: MemberRef!) { member(by: $by) { id } }", by=by_card(card))
    (member_id,) = ids.decode_as("Member", found["member"]["id"], 1)
    ann = anonymous.signed_in(viewer_of("member", member_id=member_id))
    rule = {"kind": "RULE", "rule": "partner", "version": 1, "points": 300}
    agreed = {"kind": "AGREEMENT", "rule": "fuel+grocer", "version": 1, "points": 300}
    for client in (operator, grocer, fuel):
        assert (await client.run(DECIDED, id=made))["operation"]["decidedBy"] == [rule, agreed]
        assert (await client.run(DECIDED, id=spent))["operation"]["decidedBy"] == [agreed | {"points": 60}]
    assert (await ann.run(DECIDED, id=made))["operation"]["decidedBy"] == [rule]
    assert (await ann.run(DECIDED, id=spent))["operation"]["decidedBy"] == []


WALLETS = """{ members(first: 50) { edges { node {
  holds { totalCount edges { node { points capturedBy { id } } } }
  wallets { holds { edges { node { points } } }
    lots { edges { node { origin { kind decidedBy { rule } sources { points lot { granted } } } } } }
    statement { totalCount edges { node { change balanceAfter title operation { kind decidedBy { rule } } } } } }
} } } }"""


async def test_statements_of_many_wallets_cost_as_much_as_of_one(operator: Client, runtime: Runtime) -> None:
    counts = []
    for batch in range(2):
        cards = await enrol(operator, 2 + 4 * batch, f"many-{batch}")
        for card in cards:
            await earn(operator, card, 10)
            await earn(operator, card, 20)
            await hold(operator, card, 1)
        for card, next_card in pairwise(cards):
            await give(operator, card, next_card, 5)
        await operator.run(WALLETS)
        with counted(runtime) as statements:
            seen = await operator.run(WALLETS)
        assert len(seen["members"]["edges"]) == (2, 8)[batch]
        counts.append(len(statements))
    # Operations are asked for on three ways, which meet in one statement or not, as it happens.
    assert max(counts) <= 17, counts
