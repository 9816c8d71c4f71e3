"""Lists are keyset connections, and what they cost does not grow with their length."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from alliance.runtime import Runtime
from tests.schema.support import Client, by_card

MEMBERS = """query ($first: Int, $after: String, $last: Int, $before: String) {
  members(first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { number } } } }"""


@contextmanager
def counted(runtime: Runtime) -> Iterator[list[str]]:
    """The SQL statements that are executed in this block."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "alliance.revision" not in statement:  # the runtime, watching for a new catalogue
            statements.append(statement)

    event.listen(runtime.database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(runtime.database.engine.sync_engine, "before_cursor_execute", note)


async def enrol(operator: Client, count: int, prefix: str) -> list[str]:
    """Cards of new members."""
    cards = [f"{prefix}-{n}" for n in range(count)]
    for card in cards:
        identifiers = [{"type": "CARD", "issuer": "grocer", "value": card}]
        await operator.do(
            "enrolMember", "EnrolMemberInput", "", merchant="grocer", channel="WEB", identifiers=identifiers
        )
    return cards


async def give(operator: Client, card: str, points: int) -> Any:
    """Points of the grocer's."""
    return await operator.do(
        "earn", "EarnInput", "", merchant="grocer", member=by_card(card), channel="WEB", points=points
    )


async def test_pages_forwards_and_backwards(operator: Client) -> None:
    await enrol(operator, 7, "page")
    whole = (await operator.run(MEMBERS))["members"]
    numbers = [edge["node"]["number"] for edge in whole["edges"]]
    assert (len(numbers), whole["totalCount"]) == (7, 7)
    assert (whole["pageInfo"]["hasNextPage"], whole["pageInfo"]["hasPreviousPage"]) == (False, False)
    seen, after = [], None
    while True:
        page = (await operator.run(MEMBERS, first=3, after=after))["members"]
        seen += [edge["node"]["number"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        assert page["pageInfo"]["hasPreviousPage"] == (len(seen) > 3)
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == numbers
    back = (await operator.run(MEMBERS, last=2, before=whole["edges"][5]["cursor"]))["members"]
    assert [edge["node"]["number"] for edge in back["edges"]] == numbers[3:5]
    assert (back["pageInfo"]["hasPreviousPage"], back["pageInfo"]["hasNextPage"]) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"first": 101}, ["first"]),
        ({"first": 0}, ["first"]),
        ({"last": -1}, ["last"]),
        ({"first": 1, "last": 1}, ["last"]),
        ({"after": "garbage"}, ["after"]),
        ({"before": "WzFd"}, ["before"]),
        ({"after": "WyJ4IiwieCJd"}, ["after"]),
    ],
)
async def test_bad_pages(operator: Client, arguments: dict[str, Any], path: list[str]) -> None:
    (error,) = await operator.errors(MEMBERS, **arguments)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "path": path}


async def test_lots_and_activity_page_both_ways(operator: Client, card: str) -> None:
    for points in (1, 2, 3, 4, 5):
        await give(operator, card, points)
    query = """query ($by: MemberRef!, $first: Int, $last: Int, $after: String, $before: String) { member(by: $by) {
      activity(first: $first, last: $last, after: $after, before: $before) {
        totalCount pageInfo { hasNextPage endCursor startCursor } edges { cursor node { change(currency: "GRO") } } }
      wallet(currency: "GRO") { lots(first: $first, last: $last) {
        totalCount pageInfo { hasNextPage hasPreviousPage }
        edges { node { granted remaining issuer { code } } } } } } }"""
    newest = (await operator.run(query, by=by_card(card), first=2))["member"]
    assert [e["node"]["change"] for e in newest["activity"]["edges"]] == [5, 4]
    assert newest["activity"]["totalCount"] == 5
    older = await operator.run(query, by=by_card(card), first=2, after=newest["activity"]["pageInfo"]["endCursor"])
    assert [e["node"]["change"] for e in older["member"]["activity"]["edges"]] == [3, 2]
    oldest = (await operator.run(query, by=by_card(card), last=2))["member"]
    assert [e["node"]["change"] for e in oldest["activity"]["edges"]] == [2, 1]
    assert [e["node"]["granted"] for e in oldest["wallet"]["lots"]["edges"]] == [4, 5]
    assert [e["node"]["granted"] for e in newest["wallet"]["lots"]["edges"]] == [1, 2]
    assert newest["wallet"]["lots"]["totalCount"] == 5
    kinds = (
        "query ($by: MemberRef!) { member(by: $by) { activity(kinds: [REDEEM]) { totalCount } other: "
        'activity(currency: "FUE") { totalCount } } }'
    )
    filtered = (await operator.run(kinds, by=by_card(card)))["member"]
    assert (filtered["activity"]["totalCount"], filtered["other"]["totalCount"]) == (0, 0)


async def test_merchants_are_listed_by_code(operator: Client) -> None:
    query = (
        "query ($first: Int, $after: String) { merchants(first: $first, after: $after) { totalCount "
        "pageInfo { hasNextPage endCursor } edges { node { code currencies { code worth { amount } } "
        "defaultCurrency { code } } } } }"
    )
    first = (await operator.run(query, first=1))["merchants"]
    assert [e["node"]["code"] for e in first["edges"]] == ["fuel"]
    assert first["edges"][0]["node"]["defaultCurrency"] == {"code": "FUE"}
    rest = (await operator.run(query, first=5, after=first["pageInfo"]["endCursor"]))["merchants"]
    assert [e["node"]["code"] for e in rest["edges"]] == ["grocer"]
    assert rest["edges"][0]["node"]["currencies"] == [
        {"code": code, "worth": {"amount": "0.01"}} for code in ("GCARD", "GRO")
    ]
    assert not rest["pageInfo"]["hasNextPage"]


WHOLE_WORLD = """{ members(first: 50) { edges { node {
  number status identifiers { value } memberships { merchant { code } }
  wallets { balance worth { amount } lifetime { earned spent } expiries { on points }
            lots(first: 3) { totalCount edges { node { granted } } } }
  activity(first: 3) { totalCount edges { node {
    title kind transfers { points } member { number } reversedBy { id } } } }
} } } }"""


async def test_statements_do_not_grow_with_the_list(operator: Client, runtime: Runtime) -> None:
    counts = []
    for batch in range(2):
        for card in await enrol(operator, 3 + 5 * batch, f"count-{batch}"):
            for points in (10, 20):
                await give(operator, card, points)
        await operator.run(WHOLE_WORLD)
        with counted(runtime) as statements:
            seen = await operator.run(WHOLE_WORLD)
        counts.append(len(statements))
        assert len(seen["members"]["edges"]) == (3, 11)[batch]
    assert counts[0] == counts[1]
    assert counts[0] <= 14


async def test_total_count_costs_only_when_asked_for(operator: Client, runtime: Runtime) -> None:
    with counted(runtime) as without:
        await operator.run("{ members { edges { node { id } } } }")
    with counted(runtime) as with_count:
        await operator.run("{ members { totalCount edges { node { id } } } }")
    assert len(with_count) == len(without) + 1


async def test_lifetime_totals_add_up(operator: Client, card: str) -> None:
    await give(operator, card, 500)
    given = {"merchant": "grocer", "member": by_card(card), "channel": "STORE"}
    await operator.do("redeem", "RedeemInput", "", points=120, **given)
    wrong = await operator.do("redeem", "RedeemInput", "... on Redeemed { operation { id } }", points=30, **given)
    await operator.do("reverse", "ReverseInput", "", operation=wrong["operation"]["id"], reason="mistake")
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
    query = (
        "query ($by: MemberRef!) { member(by: $by) { wallets { currency { code } balance lifetime { "
        "earned spent expired exchangedIn exchangedOut } } } }"
    )
    wallets = {w["currency"]["code"]: w for w in (await operator.run(query, by=by_card(card)))["member"]["wallets"]}
    assert wallets["GRO"]["lifetime"] == {
        "earned": 500,
        "spent": 120,
        "expired": 0,
        "exchangedIn": 0,
        "exchangedOut": 100,
    }
    assert wallets["FUE"]["lifetime"] == {"earned": 0, "spent": 0, "expired": 0, "exchangedIn": 80, "exchangedOut": 0}
    assert (wallets["GRO"]["balance"], wallets["FUE"]["balance"]) == (280, 80)
