"""Exchanging, and a cycle from open to settled, over the endpoint; who sees what of it (A14)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from alliance.runtime import Runtime
from resolvers import ids
from tests.schema.support import Client, by_card, viewer_of

MONEY = "{ amount currency }"
CYCLE = f"""
  id number status opensAt closesAt gross {MONEY} bilateral {MONEY} multilateral {MONEY}
  positions {{ merchant {{ code }} amount {MONEY} }}
  payments {{ from {{ code }} to {{ code }} amount {MONEY} status paidAt }}
  obligations {{ totalCount edges {{ node {{
    reference kind debtor {{ code }} creditor {{ code }} points amount {MONEY} orderRef currency {{ code }}
    late reverses
  }} }} }}
"""
STATEMENT = f"""
  statement(merchant: $merchant) {{ merchant {{ code }} opening {MONEY} lines {MONEY} adjustments {MONEY}
    closing {MONEY} position {MONEY} issuedAt confirmedAt
    partners {{ partner {{ code }} net {MONEY} carried {MONEY} }} }}
"""


async def give(operator: Client, card: str, points: int, at: str = "grocer", of: str = "GRO") -> Any:
    """Points as many as said."""
    earned = await operator.do(
        "earn",
        "EarnInput",
        "... on Earned { points operation { id } }",
        merchant=at,
        member=by_card(card),
        channel="STORE",
        currency=of,
        points=points,
    )
    assert earned["__typename"] == "Earned", earned
    return earned


async def quoted(client: Client, card: str, out: int = 100) -> Any:
    """A quote of GRO for FUE."""
    return await client.do(
        "quoteExchange",
        "QuoteExchangeInput",
        "... on Quoted { quote { id rate pointsOut pointsIn fee expiresAt } }",
        member=by_card(card),
        to="FUE",
        pointsOut=out,
        **{"from": "GRO"},
    )


async def exchanged(client: Client, quote: str) -> Any:
    """An exchange at a quote."""
    want = (
        "... on Exchanged { pointsOut pointsIn operation { kind transfers { points currency { code } } "
        'gro: change(currency: "GRO") fue: balanceAfter(currency: "FUE") } } ... on QuoteExpired { expired }'
    )
    return await client.do("exchangePoints", "ExchangePointsInput", want, quote=quote)


async def test_a04_quote_then_exchange(operator: Client, card: str) -> None:
    await give(operator, card, 500)
    quote = (await quoted(operator, card, out=401))["quote"]
    assert (quote["rate"], quote["pointsOut"], quote["pointsIn"], quote["fee"]) == ("0.8", 400, 320, 0)
    done = await exchanged(operator, quote["id"])
    assert (done["pointsOut"], done["pointsIn"]) == (400, 320)
    assert done["operation"]["gro"] == -400
    assert done["operation"]["fue"] == 320
    assert {(t["points"], t["currency"]["code"]) for t in done["operation"]["transfers"]} == {
        (-400, "GRO"),
        (320, "FUE"),
    }
    again = await exchanged(operator, quote["id"])
    assert (again["__typename"], again["code"]) == ("QuoteUsed", "QUOTE_USED")
    low = await quoted(operator, card, out=10)
    assert low["__typename"] == "BelowMinimum"


async def test_a06_a07_a08_a_cycle_from_open_to_settled(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await give(operator, card, 1000, at="fuel")  # fuel owes grocer 9.00
    await exchanged(operator, (await quoted(operator, card, out=400))["quote"]["id"])  # grocer owes fuel 3.20
    spent = await operator.do(
        "redeem",
        "RedeemInput",
        "... on Redeemed { points worth { amount currency } }",
        merchant="fuel",
        member=by_card(card),
        channel="STORE",
        currency="GRO",
        orderRef="f-1",
        points=300,  # grocer owes fuel 2.70
    )
    assert spent["worth"] == {"amount": "3.00", "currency": "USD"}
    cycle = (await operator.run(f"{{ alliance {{ openCycle {{ {CYCLE} }} }} }}"))["alliance"]["openCycle"]
    assert (cycle["status"], cycle["number"]) == ("OPEN", 1)
    assert cycle["gross"]["amount"] == "14.900000"
    assert cycle["bilateral"]["amount"] == cycle["multilateral"]["amount"] == "3.10"
    assert cycle["obligations"]["totalCount"] == 3

    steps = [
        ("closeCycle", "CloseCycleInput", "Closed", "CLOSED"),
        ("issueStatements", "CycleStepInput", "Issued", "STATED"),
        ("confirmStatement", "ConfirmStatementInput", "Confirmed", "CONFIRMED"),
        ("netCycle", "CycleStepInput", "Netted", "NETTED"),
        ("settleCycle", "CycleStepInput", "Settled", "SETTLED"),  # 3.10 is less than the least payment: it is carried
    ]
    for mutation, kind, success, status in steps:
        want = f"... on {success} {{ cycle {{ {CYCLE} }} }}"
        done = await operator.do(mutation, kind, want, cycle=cycle["id"], idempotencyKey=f"step-{mutation}")
        assert (done["__typename"], done["cycle"]["status"]) == (success, status)
        same = await operator.do(mutation, kind, want, cycle=cycle["id"], idempotencyKey=f"step-{mutation}")
        assert same["__typename"] == success
    settled = done["cycle"]
    assert {(p["merchant"]["code"], p["amount"]["amount"]) for p in settled["positions"]} == {
        ("grocer", "3.10"),
        ("fuel", "-3.10"),
    }
    netting = f"""netting {{ obligations gross {{ payments saving }} bilateral {{ payments saving }}
        multilateral {{ payments }} carried {MONEY} }}"""
    for viewer in (operator, fuel, grocer):
        saved = await viewer.run(f"query ($id: ID!) {{ settlementCycle(id: $id) {{ {netting} }} }}", id=cycle["id"])
        assert saved["settlementCycle"]["netting"] == {
            "obligations": 3,
            "gross": {"payments": 2, "saving": "0.00"},
            "bilateral": {"payments": 1, "saving": "79.19"},
            "multilateral": {"payments": 0},
            "carried": {"amount": "3.10", "currency": "USD"},
        }
    late = await operator.do("settleCycle", "CycleStepInput", "", cycle=cycle["id"])
    assert (late["__typename"], late["code"]) == ("WrongCycleStatus", "WRONG_CYCLE_STATUS")

    statement = f"query ($id: ID!, $merchant: String!) {{ settlementCycle(id: $id) {{ {STATEMENT} }} }}"
    mine = (await fuel.run(statement, id=cycle["id"], merchant="fuel"))["settlementCycle"]["statement"]
    assert (mine["position"]["amount"], mine["closing"]["amount"]) == ("-3.10", "-3.100000")
    assert mine["confirmedAt"]
    theirs = (await fuel.run(statement, id=cycle["id"], merchant="grocer"))["settlementCycle"]["statement"]
    assert theirs is None
    seen = (await fuel.run(f"query ($id: ID!) {{ settlementCycle(id: $id) {{ {CYCLE} }} }}", id=cycle["id"]))[
        "settlementCycle"
    ]
    assert [p["merchant"]["code"] for p in seen["positions"]] == ["fuel"]
    lines = {e["node"]["kind"]: e["node"] for e in seen["obligations"]["edges"]}
    assert lines["SPEND"]["orderRef"] == "f-1"
    other = (await grocer.run(f"query ($id: ID!) {{ settlementCycle(id: $id) {{ {CYCLE} }} }}", id=cycle["id"]))[
        "settlementCycle"
    ]
    theirs = {e["node"]["kind"]: e["node"] for e in other["obligations"]["edges"]}
    assert theirs["SPEND"]["orderRef"] is None
    assert theirs["SPEND"]["reference"] == lines["SPEND"]["reference"]


async def test_a14_a_merchant_records_only_what_it_received(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await give(operator, card, 2000, at="fuel")  # fuel owes grocer 18.00
    cycle = (await operator.do("closeCycle", "CloseCycleInput", "... on Closed { cycle { id } }"))["cycle"]["id"]
    steps = (("issueStatements", ""), ("confirmStatement", ""), ("netCycle", ""), ("settleCycle", "Settled"))
    for step, success in steps:
        kind = "ConfirmStatementInput" if step == "confirmStatement" else "CycleStepInput"
        await operator.do(step, kind, f"... on {success} {{ cycle {{ status }} }}" if success else "", cycle=cycle)
    want = "... on ReceiptRecorded { cycle { status payments { number status reference } } }"
    sent = {"cycle": cycle, "payment": 1, "reference": "bank 7"}
    payer = await fuel.do("recordReceipt", "RecordReceiptInput", want, **sent)
    assert (payer["__typename"], payer["path"]) == ("NotFound", ["payment"])
    for amount in ({"amount": "17.99", "currency": "USD"}, {"amount": "18.00", "currency": "EUR"}):
        less = await grocer.do("recordReceipt", "RecordReceiptInput", want, **sent, amount=amount)
        assert (less["__typename"], less["path"][0]) == ("InvalidInput", "amount")
    paid = {"amount": "18.00", "currency": "USD"}
    done = await grocer.do("recordReceipt", "RecordReceiptInput", want, **sent, amount=paid)
    assert done["cycle"] == {
        "status": "SETTLED",
        "payments": [{"number": 1, "status": "PAID", "reference": "bank 7"}],
    }


async def test_cycles_are_listed_newest_first(operator: Client, card: str) -> None:
    await give(operator, card, 10, at="fuel")
    for number in (1, 2, 3):
        closed = await operator.do("closeCycle", "CloseCycleInput", "... on Closed { cycle { number } }")
        assert closed["cycle"]["number"] == number
    query = (
        "query ($after: String) { alliance { cycles(first: 2, after: $after) { totalCount pageInfo { "
        "hasNextPage endCursor } edges { node { number } } } } }"
    )
    first = (await operator.run(query))["alliance"]["cycles"]
    assert ([e["node"]["number"] for e in first["edges"]], first["totalCount"]) == ([4, 3], 4)
    rest = (await operator.run(query, after=first["pageInfo"]["endCursor"]))["alliance"]["cycles"]
    assert [e["node"]["number"] for e in rest["edges"]] == [2, 1]
    assert not rest["pageInfo"]["hasNextPage"]


async def test_steps_are_the_operators(grocer: Client, operator: Client, card: str) -> None:
    await give(operator, card, 10, at="fuel")
    errors = await grocer.errors('mutation { closeCycle(input: {idempotencyKey: "12345678"}) { __typename } }')
    assert errors[0]["extensions"]["code"] == "FORBIDDEN"
    cycle = (await operator.run("{ alliance { openCycle { id status } } }"))["alliance"]["openCycle"]
    assert cycle["status"] == "OPEN"
    want = "... on Aborted { cycle { number status transitions { status by why asOf } } }"
    named = {"cycle": cycle["id"], "reason": "a wrong price", "idempotencyKey": "abort-open"}
    aborted = await operator.do("abortCycle", "CycleStepInput", want, **named)
    assert (aborted["cycle"]["number"], aborted["cycle"]["status"]) == (1, "ABORTED")
    assert [(step["status"], step["why"]) for step in aborted["cycle"]["transitions"]] == [
        ("CLOSED", "a wrong price"),
        ("ABORTED", "a wrong price"),
    ]
    assert await operator.do("abortCycle", "CycleStepInput", want, **named) == aborted
    seen = await grocer.run(
        "query ($id: ID!) { settlementCycle(id: $id) { transitions { status by why } } }", id=cycle["id"]
    )
    assert seen["settlementCycle"]["transitions"][0] == {"status": "CLOSED", "by": None, "why": None}
    (opened,) = (await operator.run("{ alliance { openCycle { number gross { amount } } } }"))["alliance"].values()
    assert opened == {"number": 2, "gross": {"amount": "0.090000"}}
    confirmed = await grocer.do("confirmStatement", "ConfirmStatementInput", "", cycle=cycle["id"], merchant="fuel")
    assert (confirmed["__typename"], confirmed["path"]) == ("NotAllowed", ["merchant"])


async def test_exchange_options(operator: Client, card: str) -> None:
    query = """query ($by: MemberRef!) { member(by: $by) { exchangeOptions(from: "GRO") {
      to { code } rate block step remainingToday expiryRule changesOn blockedBy } } }"""
    (option,) = (await operator.run(query, by=by_card(card)))["member"]["exchangeOptions"]
    assert option["blockedBy"] == ["INSUFFICIENT_POINTS"]
    await give(operator, card, 1000)
    await exchanged(operator, (await quoted(operator, card, out=400))["quote"]["id"])
    (option,) = (await operator.run(query, by=by_card(card)))["member"]["exchangeOptions"]
    assert option == {
        "to": {"code": "FUE"},
        "rate": "0.8",
        "block": 100,
        "step": 50,
        "remainingToday": 4600,
        "expiryRule": "until the end of the year + 1",
        "changesOn": None,
        "blockedBy": [],
    }


STEP_SCOPES = {
    "closeCycle": ("CloseCycleInput", "cycle:close"),
    "issueStatements": ("CycleStepInput", "cycle:state"),
    "confirmStatement": ("ConfirmStatementInput", "cycle:confirm"),
    "netCycle": ("CycleStepInput", "cycle:net"),
    "settleCycle": ("CycleStepInput", "cycle:settle"),
    "recordReceipt": ("RecordReceiptInput", "cycle:receive"),
    "abortCycle": ("CycleStepInput", "cycle:abort"),
}


async def test_a07_each_step_has_an_authority_of_its_own(anonymous: Client, operator: Client, card: str) -> None:
    """A client may be given one step alone; settlement:write is all of them."""
    await give(operator, card, 10, at="fuel")
    cycle = (await operator.run("{ alliance { openCycle { id } } }"))["alliance"]["openCycle"]["id"]
    everything = anonymous.signed_in(viewer_of("operator", scopes=["settlement:write"]))
    for step, (kind, scope) in STEP_SCOPES.items():
        document = f"mutation ($input: {kind}!) {{ {step}(input: $input) {{ __typename }} }}"
        sent = {"cycle": cycle, "idempotencyKey": f"by-scope-{step}"}
        others = {other for _, other in STEP_SCOPES.values()} - {scope}
        for may in ({"settlement:read", *others}, {scope}):
            one = anonymous.signed_in(viewer_of("operator", scopes=may))
            answer = (await one.post(document, {"input": sent})).json()
            assert ("errors" in answer) == (scope not in may), (step, may, answer)
        answer = await everything.run(document, input={**sent, "idempotencyKey": f"all-{step}"})
        assert answer[step]["__typename"] == "WrongCycleStatus"


async def test_a07_a_cycle_is_not_closed_in_the_future(operator: Client, card: str) -> None:
    await give(operator, card, 10, at="fuel")
    refused = await operator.do("closeCycle", "CloseCycleInput", "", asOf="2100-01-01T00:00:00Z")
    assert (refused["__typename"], refused["path"]) == ("InvalidInput", ["asOf"])
    by_clock = await operator.at(datetime(2100, 1, 1, tzinfo=UTC)).do("closeCycle", "CloseCycleInput", "")
    assert by_clock["__typename"] == "InvalidInput"
    assert len((await operator.run("{ alliance { cycles { edges { cursor } } } }"))["alliance"]["cycles"]["edges"]) == 1


async def test_a10_a_merchant_objects_to_lines_of_its_statement(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    """Lines are named by ids that say nothing; both sides see the objection, and who is not a merchant raises none."""
    for points in (2000, 20000):
        await give(operator, card, points, at="fuel")  # fuel owes grocer 18.00 and 180.00
    cycle = (await operator.do("closeCycle", "CloseCycleInput", "... on Closed { cycle { id } }"))["cycle"]["id"]
    # Now, since a merchant cannot set the clock.
    await operator.at(datetime.now(UTC)).do("issueStatements", "CycleStepInput", "", cycle=cycle)
    query = (
        "query ($id: ID!) { settlementCycle(id: $id) { obligations { edges { node { line amount { amount } } } } } }"
    )
    seen = [await one.run(query, id=cycle) for one in (grocer, fuel)]
    assert seen[0] == seen[1]
    edges = seen[0]["settlementCycle"]["obligations"]["edges"]
    line = next(edge["node"]["line"] for edge in edges if edge["node"]["amount"]["amount"] == "18.000000")
    want = """... on Objected { cycle {
        objections { reason by { code } line { line } suspended { amount } }
        suspended { amount }
        statement(merchant: "grocer") {
          suspended { amount } partners { closing { amount } net { amount } suspended { amount } } }
      } } ... on ObjectionUnfounded { reason }"""

    async def objects(client: Client, line: str, **named: Any) -> Any:
        lines = [{"line": line, **named}]
        return await client.do("objectToLines", "ObjectToLinesInput", want, cycle=cycle, lines=lines)

    wrong = {"reason": "WRONG_PRICE", "expected": {"amount": "0.009", "currency": "USD"}}
    unfounded = await objects(grocer, line, **wrong)
    assert (unfounded["__typename"], unfounded["reason"], unfounded["path"]) == (
        "ObjectionUnfounded",
        "WRONG_PRICE",
        ["lines", "0"],
    )
    for bad in ("", line[:-4] + "AAAA", "x" * 500):
        missing = await objects(grocer, bad, **wrong)
        assert (missing["__typename"], missing["path"]) == ("NotFound", ["lines", "0", "line"])
    done = await objects(grocer, line, reason="WRONG_PRICE", expected={"amount": "0.01", "currency": "USD"})
    assert done["cycle"]["objections"] == [
        {
            "reason": "WRONG_PRICE",
            "by": {"code": "grocer"},
            "line": {"line": line},
            "suspended": {"amount": "18.000000"},
        }
    ]
    assert done["cycle"]["suspended"] == done["cycle"]["statement"]["suspended"] == {"amount": "18.000000"}
    (balance,) = done["cycle"]["statement"]["partners"]
    assert {name: money["amount"] for name, money in balance.items()} == {
        "closing": "198.000000",
        "net": "180.00",
        "suspended": "18.000000",
    }
    other = await fuel.run("query ($id: ID!) { settlementCycle(id: $id) { objections { reason } } }", id=cycle)
    assert other["settlementCycle"]["objections"] == [{"reason": "WRONG_PRICE"}]
    errors = await operator.errors(
        f'mutation {{ objectToLines(input: {{idempotencyKey: "12345678", cycle: "{cycle}", lines: []}}) '
        "{ __typename } }"
    )
    assert errors[0]["extensions"]["code"] == "FORBIDDEN"


SEARCH = f"""query ($filter: ObligationFilter!, $first: Int, $after: String) {{
  obligations(filter: $filter, first: $first, after: $after) {{
    totalCount pageInfo {{ hasNextPage endCursor }}
    edges {{ node {{ reference member kind orderRef store price agreementVersion reversedReference amount {MONEY} }} }}
  }}
}}"""


async def found(client: Client, first: int = 20, **filter: Any) -> list[Any]:
    """Lines that fit, page by page."""
    lines, after = [], None
    while True:
        page = (await client.run(SEARCH, filter=filter, first=first, after=after))["obligations"]
        lines += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(lines)
            return lines


async def test_a14_a_merchant_searches_its_own_lines_and_its_own_orders(
    operator: Client, grocer: Client, fuel: Client, card: str
) -> None:
    await give(operator, card, 1000, at="fuel")
    for order, points in (("f-1", 100), ("f-2", 200)):
        redeemed = await operator.do(
            "redeem",
            "RedeemInput",
            "... on Redeemed { operation { id } }",
            merchant="fuel",
            member=by_card(card),
            channel="STORE",
            currency="GRO",
            orderRef=order,
            store="1",
            points=points,
        )
    assert [line["kind"] for line in await found(fuel, first=1)] == ["EARN", "SPEND", "SPEND"]
    by_order = await found(fuel, orderRef="f-1")
    assert [(line["amount"]["amount"], line["price"], line["store"]) for line in by_order] == [
        ("0.900000", "0.00900000", "1")
    ]
    assert await found(operator, orderRef="f-1", merchant="grocer", counterparty="fuel") == by_order
    for private in ({"orderRef": "f-1"}, {"store": "1"}):
        assert await found(grocer, **private) == []
    seen = await found(grocer, amountFrom="1.00", amountTo="2.00", counterparty="fuel")
    assert [(line["orderRef"], line["store"], line["amount"]["amount"]) for line in seen] == [(None, None, "1.800000")]
    assert seen[0]["member"] == by_order[0]["member"]
    assert await found(grocer, operation=redeemed["operation"]["id"]) == seen
    assert await found(grocer, counterparty="demo") == []
    for wrong, path in (
        ({"counterparty": "nobody"}, "counterparty"),
        ({"amountFrom": "0.0000001"}, "amountFrom"),
        ({"bookedFrom": "2026-02-01T00:00:00Z", "bookedBefore": "2026-01-01T00:00:00Z"}, "bookedBefore"),
        ({"operation": "x"}, "operation"),
    ):
        [error] = await fuel.errors(SEARCH, filter=wrong)
        assert error["extensions"]["path"] == ["filter", path]


async def test_a14_the_cursor_of_a_line_names_no_operation(operator: Client, fuel: Client, card: str) -> None:
    """An operation's id is for whoever may see the operation, and lines are for both parties."""
    given = await operator.do(
        "earn",
        "EarnInput",
        "... on Earned { operation { id } }",
        merchant="fuel",
        member=by_card(card),
        channel="STORE",
        currency="GRO",
        points=10,
    )
    own = UUID(bytes=ids.decode(given["operation"]["id"])[1][16:])
    cycle = (await operator.run("{ alliance { openCycle { id } } }"))["alliance"]["openCycle"]["id"]
    of_cycle = """query ($id: ID!, $after: String) { settlementCycle(id: $id) { obligations(first: 1, after: $after) {
        edges { node { points } } pageInfo { endCursor } } } }"""
    for page in (
        (await fuel.run(SEARCH, filter={}, first=1))["obligations"],
        (await fuel.run(of_cycle, id=cycle))["settlementCycle"]["obligations"],
    ):
        cursor = page["pageInfo"]["endCursor"]
        said = urlsafe_b64decode(cursor + "==")
        inner = urlsafe_b64decode(orjson.loads(said)[-1] + "==")
        assert not any(name in text for text in (said, inner) for name in (str(own).encode(), own.bytes))
    after = (await fuel.run(of_cycle, id=cycle, after=cursor))["settlementCycle"]["obligations"]
    assert after["edges"] == []
    for wrong in ("x", urlsafe_b64encode(orjson.dumps([str(own)])).decode(), urlsafe_b64encode(b'["AAAA"]').decode()):
        [error] = await fuel.errors(of_cycle, id=cycle, after=wrong)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a10_the_operator_says_why_it_confirms_before_the_deadline(
    operator: Client, grocer: Client, card: str, runtime: Runtime
) -> None:
    """Unless the merchants let it consent for them: that is the alliance's `consent`."""
    await give(operator, card, 1000, at="fuel")
    now = operator.at(datetime.now(UTC))
    cycle = (await now.do("closeCycle", "CloseCycleInput", "... on Closed { cycle { id } }"))["cycle"]["id"]
    await now.do("issueStatements", "CycleStepInput", "", cycle=cycle)
    alliance = replace(runtime.catalogue.alliance, consent="merchants")
    runtime.catalogue = replace(runtime.catalogue, alliance=alliance)
    want = """... on Confirmed { cycle { status suspended { amount } statement(merchant: "grocer") {
        confirmedEarly confirmedAt suspended { amount } } } } ... on ObjectionsOpen { until }"""

    async def confirm(client: Client, **named: Any) -> Any:
        return await client.do("confirmStatement", "ConfirmStatementInput", want, cycle=cycle, **named)

    refused = await confirm(now, merchant="grocer")
    assert (refused["__typename"], refused["code"]) == ("ObjectionsOpen", "OBJECTIONS_OPEN")
    assert datetime.fromisoformat(refused["until"]) > datetime.now(UTC)
    early = (await confirm(now, merchant="grocer", reason="by telephone"))["cycle"]
    assert early["statement"].pop("confirmedAt")
    assert early == {
        "status": "STATED",
        "suspended": {"amount": "0.000000"},
        "statement": {"confirmedEarly": "by telephone", "suspended": {"amount": "0.000000"}},
    }
    assert (await confirm(grocer))["cycle"]["status"] == "STATED"
    runtime.catalogue = replace(runtime.catalogue, alliance=replace(alliance, consent="operator"))
    assert (await confirm(now))["cycle"]["status"] == "CONFIRMED"
