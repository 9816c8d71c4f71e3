"""Claims and objections over the endpoint (A10): raised, answered, decided, listed; who sees what of them (A14)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from alliance.runtime import Runtime
from domain.base import new_id
from resolvers.viewer import ALLOWED_SCOPES
from tests.alliance.support import NOON, House
from tests.schema.support import Client, viewer_of

CLAIM = """claim { id door status round waitsFor dueAt claimCode by { code } against { code } line { line }
  claimed { amount } granted { amount } accepted { amount }
  steps { number move side text merchant { code } amount { amount } attachments { name } } }"""
RAISED = f"... on ClaimRaised {{ {CLAIM} }} ... on ClaimTooLarge {{ room }}"
ANSWERED = f"... on ClaimAnswered {{ {CLAIM} }} ... on WrongClaimStatus {{ status round }}"
DECIDED = f"... on ClaimDecided {{ {CLAIM} }} ... on WrongClaimStatus {{ status }}"


@dataclass(frozen=True)
class Parties:
    """Who is at the table, and a line of 18.00 that the grocer owes, settled."""

    grocer: Client
    fuel: Client
    cafe: Client
    operator: Client
    line: str

    async def answer(self, by: Client, claim: Any, move: str, **named: Any) -> Any:
        """A party's step."""
        return await by.do("answerClaim", "AnswerClaimInput", ANSWERED, claim=claim["id"], move=move, **named)

    async def claim(self, **named: Any) -> Any:
        """The grocer's."""
        said = {"line": self.line, "claimCode": "NOT_DELIVERED", "text": "never came"} | named
        return await self.grocer.do("raiseClaim", "RaiseClaimInput", RAISED, **said)


@pytest.fixture
async def parties(runtime: Runtime, anonymous: Client) -> Parties:
    """One spend of 2,000 points, paid; in June 2017 for all of them."""
    house = House(runtime)
    member = await house.member()
    await house.earn(member, "grocer", 2_000)
    await house.spend(member, "fuel", 2_000)
    await house.through(await house.close())
    clients = [
        anonymous.signed_in(viewer_of("merchant", merchant_id=id_, scopes=ALLOWED_SCOPES["merchant"] | {"clock"}))
        for id_ in (house.id("grocer"), house.id("fuel"), new_id())
    ]
    clients.append(anonymous.signed_in(viewer_of("operator")))
    at = [client.at(NOON + timedelta(hours=1)) for client in clients]
    found = await at[0].run("{ obligations { edges { node { line } } } }")
    (line,) = [edge["node"]["line"] for edge in found["obligations"]["edges"]]
    return Parties(*at, line)


def money(amount: str) -> dict[str, str]:
    """In the settlement currency."""
    return {"amount": amount, "currency": "USD"}


async def test_a10_a_claim_from_raised_to_decided(parties: Parties) -> None:
    claim = (await parties.claim(amount=money("5.00")))["claim"]
    assert (claim["door"], claim["status"], claim["round"], claim["waitsFor"]) == ("CLAIM", "RAISED", 1, "OTHER")
    assert (claim["by"]["code"], claim["against"]["code"], claim["line"]["line"]) == ("grocer", "fuel", parties.line)
    assert claim["dueAt"].startswith("2017-06-16")
    early = await parties.answer(parties.grocer, claim, "ESCALATE")
    assert (early["__typename"], early["status"], early["round"]) == ("WrongClaimStatus", "RAISED", 1)
    for bad in ({}, {"amount": money("6.00")}, {"amount": {"amount": "1", "currency": "EUR"}}):
        refused = await parties.answer(parties.fuel, claim, "ACCEPT_PARTLY", **bad)
        assert refused["__typename"] == "InvalidInput"
    part = (await parties.answer(parties.fuel, claim, "ACCEPT_PARTLY", amount=money("2.00"), text="one came"))["claim"]
    assert (part["status"], part["granted"]["amount"], part["waitsFor"]) == ("ANSWERED", "2.000000", "RAISER")
    up = (await parties.answer(parties.grocer, claim, "ESCALATE", text="none came"))["claim"]
    assert (up["status"], up["waitsFor"]) == ("ESCALATED", "OPERATOR")
    want = {"claim": claim["id"], "amount": money("4.00"), "text": "the carrier's list has one"}
    done = (await parties.operator.do("decideClaim", "DecideClaimInput", DECIDED, **want))["claim"]
    assert (done["status"], done["accepted"]["amount"], done["dueAt"]) == ("DECIDED", "4.000000", None)
    assert [(one["move"], one["side"], one["merchant"] and one["merchant"]["code"]) for one in done["steps"]] == [
        ("RAISE", "RAISER", "grocer"),
        ("ACCEPT_PARTLY", "OTHER", "fuel"),
        ("ESCALATE", "RAISER", "grocer"),
        ("DECIDE", "OPERATOR", None),
    ]
    again = await parties.operator.do("decideClaim", "DecideClaimInput", DECIDED, **want)
    assert (again["__typename"], again["status"]) == ("WrongClaimStatus", "DECIDED")
    open_ = await parties.fuel.run(
        "{ alliance { openCycle { obligations {"
        " edges { node { kind reverses amount { amount } debtor { code } } } } } } }"
    )
    lines = [edge["node"] for edge in open_["alliance"]["openCycle"]["obligations"]["edges"]]
    assert lines == [
        {"kind": "CORRECTION", "reverses": True, "amount": {"amount": "-4.000000"}, "debtor": {"code": "grocer"}}
    ]


async def test_a10_what_is_wrong_with_a_claim(parties: Parties) -> None:
    large = await parties.claim(amount=money("18.01"))
    assert (large["__typename"], large["room"]) == ("ClaimTooLarge", "18.000000")
    for bad, path in (
        ({"line": "x", "amount": money("1.00")}, ["line"]),
        ({"line": None, "against": "nobody", "amount": money("1.00")}, ["against"]),
        ({"amount": money("1.00"), "attachments": ["x"]}, ["attachments"]),
    ):
        found = await parties.claim(**bad)
        assert (found["__typename"], found["path"]) == ("NotFound", path)
    found = await parties.answer(parties.fuel, {"id": "x"}, "ACCEPT")
    assert (found["__typename"], found["path"]) == ("NotFound", ["claim"])
    claim = (await parties.claim(quantity=500))["claim"]
    assert claim["claimed"]["amount"] == "4.500000"
    assert (await parties.answer(parties.operator, claim, "DECIDE"))["__typename"] == "InvalidInput"
    assert (await parties.claim(quantity=1))["__typename"] == "LineInDispute"


async def test_a10_a14_lists_are_of_ones_own_and_by_deadline(parties: Parties) -> None:
    claim = (await parties.claim(amount=money("5.00")))["claim"]
    missing = {"line": None, "against": "fuel", "amount": money("3.00"), "claimCode": "MISSING_LINE"}
    other = (await parties.claim(**missing))["claim"]
    await parties.answer(parties.fuel, claim, "REJECT", text="it came")
    listed = """query ($filter: ClaimFilter, $order: ClaimOrder, $after: String) {
      claims(filter: $filter, order: $order, first: 1, after: $after) {
        totalCount pageInfo { endCursor hasNextPage } edges { node { id } } } }"""

    async def ids(client: Client, order: str = "NEWEST", **filter_: Any) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = (await client.run(listed, filter=filter_, order=order, after=after))["claims"]
            found += [edge["node"]["id"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(found)
                return found
            after = page["pageInfo"]["endCursor"]

    both = [other["id"], claim["id"]]
    for client in (parties.grocer, parties.fuel, parties.operator):
        assert await ids(client) == both
        assert sorted(await ids(client, order="DEADLINE")) == sorted(both)
    assert await ids(parties.cafe) == []
    assert await ids(parties.grocer, waitsForMe=True) == [claim["id"]]
    assert await ids(parties.fuel, waitsForMe=True, door="CLAIM", open=True, merchant="grocer") == [other["id"]]
    assert await ids(parties.operator, waitsForMe=True) == []
    assert await ids(parties.operator, status="ANSWERED") == [claim["id"]]
    one = "query ($id: ID!) { claim(id: $id) { status } node(id: $id) { id } }"
    assert (await parties.fuel.run(one, id=claim["id"]))["node"] == {"id": claim["id"]}
    assert await parties.cafe.run(one, id=claim["id"]) == {"claim": None, "node": None}
    assert (await parties.answer(parties.cafe, claim, "NOTE", text="me too"))["__typename"] == "NotFound"
