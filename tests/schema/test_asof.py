"""Wallets and reports as of a past instant over the endpoint; the property test is tests/properties/test_asof.py."""

from datetime import timedelta
from typing import Any

from alliance.runtime import Runtime
from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_lists import counted, enrol
from tests.schema.test_statements import earn, hold, redeem

WALLET = """query ($by: MemberRef!, $at: DateTime) { member(by: $by) { wallets(asOf: $at) { currency { code } }
  wallet(currency: "GRO", asOf: $at) { id balance available held debt worth { amount }
    lots { totalCount edges { node { granted remaining } } }
    holds { totalCount edges { node { status points captured } } } expiries { on points } lifetime { earned spent }
    statement { totalCount edges { node { change } } } } } }"""
REPORT = """query ($at: DateTime) { merchants { edges { node { code balances(asOf: $at) {
  currency { code } outstanding held pending debt holders ending { month points } } } } } }"""


async def read(client: Client, card: str, **asked: Any) -> Any:
    return (await client.run(WALLET, by=by_card(card), **asked))["member"]


async def test_a_wallet_is_what_it_was_at_every_step(operator: Client, card: str) -> None:
    shown = []
    for day in range(5):
        then = operator.at(NOW + timedelta(days=day))
        match day:
            case 0 | 3:
                await earn(then, card, 100)
            case 1:
                await redeem(then, card, 30)
            case 2:
                await hold(then, card, 20)
            case _:
                await redeem(then, card, 60)
        shown.append(await read(then, card))
    later = operator.at(NOW + timedelta(days=9))
    for day, seen in enumerate(shown):
        then = await read(later, card, at=(NOW + timedelta(days=day)).isoformat())
        assert "@" not in then["wallet"]["id"] != seen["wallet"]["id"]
        seen["wallet"]["id"] = then["wallet"]["id"]
        assert then == seen
        again = await later.run(
            "query ($id: ID!) { node(id: $id) { id ... on Wallet { balance } } }", id=then["wallet"]["id"]
        )
        assert again["node"] == {"id": then["wallet"]["id"], "balance": then["wallet"]["balance"]}
    before = await read(later, card, at=(NOW - timedelta(days=1)).isoformat())
    assert before["wallets"] == []
    assert (before["wallet"]["balance"], before["wallet"]["statement"]["totalCount"]) == (0, 0)


async def test_a_hold_is_what_it_was(operator: Client, card: str) -> None:
    """Made at noon, captured in part a minute later; another lapsed meanwhile."""
    query = """query ($by: MemberRef!, $at: DateTime, $status: [HoldStatus!]) { member(by: $by) {
      wallet(currency: "GRO", asOf: $at) { holds(status: $status) {
        totalCount edges { node { status points captured capturedBy { kind } } } } } } }"""
    await earn(operator, card, 100)
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE"}
    await operator.do("holdPoints", "HoldPointsInput", "", points=7, expiresIn=30, **given)
    held = await hold(operator, card, 20)
    minute = timedelta(minutes=1)
    await operator.at(NOW + minute).do("captureHold", "CaptureHoldInput", "", hold=held, points=15)
    later = operator.at(NOW + 60 * minute)

    async def seen(seconds: int, *status: str) -> Any:
        asked = {"at": (NOW + timedelta(seconds=seconds)).isoformat(), "status": status or None}
        found = (await later.run(query, by=by_card(card), **asked))["member"]["wallet"]["holds"]
        assert found["totalCount"] == len(found["edges"])
        return [tuple(edge["node"].values()) for edge in found["edges"]]

    assert await seen(-1) == []
    assert await seen(29) == [("OPEN", 20, 0, None), ("OPEN", 7, 0, None)]
    assert await seen(31) == [("OPEN", 20, 0, None), ("LAPSED", 7, 0, None)]
    assert await seen(31, "OPEN") == [("OPEN", 20, 0, None)]
    assert await seen(60) == [("CAPTURED", 20, 15, {"kind": "REDEEM"}), ("LAPSED", 7, 0, None)]


async def test_by_booking_unless_the_caller_sets_the_clock(operator: Client, card: str) -> None:
    await earn(operator, card, 100)
    booked = operator.signed_in(viewer_of("operator"))
    assert (await read(booked, card, at=NOW.isoformat()))["wallets"] == []
    statement = (
        await booked.run(
            "query ($by: MemberRef!) { member(by: $by) { activity { edges { node { bookedAt } } } } }", by=by_card(card)
        )
    )["member"]["activity"]["edges"]
    at = statement[0]["node"]["bookedAt"]
    assert (await read(booked, card, at=at))["wallets"] == [{"currency": {"code": "GRO"}}]


async def test_what_lies_ahead_is_refused(operator: Client, card: str) -> None:
    error = (await operator.errors(WALLET, by=by_card(card), at=(NOW + timedelta(seconds=1)).isoformat()))[0]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "path": ["asOf"]}


async def test_wallets_of_many_members_in_the_past_cost_as_much_as_of_one(operator: Client, runtime: Runtime) -> None:
    query = """query ($at: DateTime) { members(first: 50) { edges { node {
        wallets(asOf: $at) { balance lots { totalCount edges { node { remaining } } } expiries { points }
                             lifetime { earned } statement { edges { node { change } } } } } } } }"""
    counts = []
    for batch in range(2):
        for card in await enrol(operator, 1 + 5 * batch, f"past-{batch}"):
            await earn(operator, card, 10)
        with counted(runtime) as statements:
            await operator.run(query, at=NOW.isoformat())
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 8


async def test_what_all_wallets_hold_now_and_then(
    operator: Client, grocer: Client, fuel: Client, runtime: Runtime
) -> None:
    ann, bob = await enrol(operator, 2, "report")
    await earn(operator, ann, 100)
    await earn(operator, bob, 50)
    later = operator.at(NOW + timedelta(days=40))
    await earn(later, ann, 7)
    await redeem(later, bob, 50)
    await hold(later, ann, 5)

    async def report(client: Client, **asked: Any) -> dict[str, Any]:
        edges = (await client.run(REPORT, **asked))["merchants"]["edges"]
        rows = {edge["node"]["code"]: edge["node"]["balances"] for edge in edges}
        return {code: rows and [row for row in rows if row["outstanding"]] for code, rows in rows.items()}

    then = (await report(later, at=NOW.isoformat()))["grocer"]
    gro = {"currency": {"code": "GRO"}, "held": 0, "pending": 0, "debt": 0}
    assert then == [gro | {"outstanding": 150, "holders": 2, "ending": [{"month": "2018-06", "points": 150}]}]
    now = await report(later)
    ending = [{"month": "2018-06", "points": 100}, {"month": "2018-07", "points": 7}]
    assert now["grocer"] == [gro | {"outstanding": 107, "held": 5, "holders": 1, "ending": ending}]
    assert now["fuel"] == []
    own = await report(grocer)
    assert (own["fuel"], [row["currency"]["code"] for row in own["grocer"]]) == (None, ["GRO"])
    assert (await report(fuel))["grocer"] is None


async def test_breakage_is_for_its_merchant_alone(operator: Client, grocer: Client, fuel: Client) -> None:
    query = '{ merchant(code: "grocer") { breakage(from: "2017-01-01", to: "2018-01-01") { month points } } }'
    for client, answer in ((operator, []), (grocer, []), (fuel, None)):
        assert (await client.run(query))["merchant"]["breakage"] == answer
