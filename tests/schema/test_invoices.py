"""Invoices over the endpoint, for their two parties and the operator (A9, A14)."""

from datetime import UTC, datetime
from typing import Any

from alliance.invoices.commands import issue_due
from alliance.runtime import Runtime
from resolvers import invoices
from resolvers.context import Context
from tests.alliance.invoices.support import invoicing
from tests.alliance.support import NOON, House, days
from tests.schema.support import Client

SEEN = """query ($cycle: ID) { invoices(first: 1, filter: {cycle: $cycle}) { totalCount edges { node {
    id number kind issuedOn dueOn issuer { code taxId } recipient { code } exact { amount } net { amount }
    taxRate tax { amount } gross { amount } files cycle { number }
    lines { kind adjustment currency points price count amount { amount } taxed }
    match { stated { amount } difference { amount } unpaid { amount } } } } } }"""
MATCH = """query ($cycle: ID!, $issuer: String!, $recipient: String!) {
    invoiceMatch(cycle: $cycle, issuer: $issuer, recipient: $recipient) { stated { amount } invoiced { amount } } }"""
RECORDED = """... on InvoiceRecorded { match { issuer { code } recorded {
    number net { amount } netDifference { amount } addsUp } } } ... on UserError { code path }"""


async def test_a14_invoices_are_seen_by_their_two_parties_and_the_operator(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    house = House(runtime)
    await invoicing(house, fuel={"taxRate": "0.21", "taxId": "NL003"})
    ann = await house.member()
    await house.earn(ann, "grocer", 1_000)
    await house.spend(ann, "fuel", 600)
    closed = await house.through(await house.close(NOON + days(1)), "net_cycle")
    async with runtime.database.transaction() as session:
        assert await issue_due(session, runtime.catalogue.alliance, NOON + days(2)) == 1
    cycle = (await operator.run("{ alliance { cycles(first: 2) { edges { node { id number } } } } }"))["alliance"]
    ids = {edge["node"]["number"]: edge["node"]["id"] for edge in cycle["cycles"]["edges"]}
    found = (await operator.run(SEEN, cycle=ids[closed.number]))["invoices"]
    (seen,) = [edge["node"] for edge in found["edges"]]
    assert (seen["number"], seen["kind"], seen["taxRate"]) == ("FUEL-000001", "INVOICE", "0.210000")
    assert [seen[name]["amount"] for name in ("exact", "net", "tax", "gross")] == ["5.400000", "5.40", "1.13", "6.53"]
    assert (seen["issuer"], seen["recipient"]) == ({"code": "fuel", "taxId": "NL003"}, {"code": "grocer"})
    assert seen["lines"] == [
        {"kind": "SPEND", "adjustment": False, "currency": "GRO", "points": 600, "price": "0.00900000", "count": 1}
        | {"amount": {"amount": "5.400000"}, "taxed": True}
    ]
    # Grocer's debt is too small to be paid, so it is carried. What grocer has to pay is not fuel's to know.
    assert seen["match"] == {"stated": {"amount": "5.400000"}, "difference": {"amount": "0.000000"}} | {
        "unpaid": {"amount": "0.00"}
    }
    own = (await grocer.run(SEEN, cycle=ids[closed.number]))["invoices"]
    assert own == found
    (theirs,) = [edge["node"] for edge in (await fuel.run(SEEN))["invoices"]["edges"]]
    assert theirs["match"]["unpaid"] is None
    again = "query ($id: ID!) { node(id: $id) { id } invoice(id: $id) { number } }"
    assert (await fuel.run(again, id=seen["id"]))["invoice"] == {"number": "FUEL-000001"}

    asked: dict[str, Any] = {"cycle": ids[closed.number], "issuer": "fuel", "recipient": "grocer"}
    told = asked | {"number": "F-9", "issuedOn": "2017-06-02", "taxRate": "0.21"}
    told |= {name: {"amount": amount, "currency": "USD"} for name, amount in (("net", "5.50"), ("tax", "1.16"))}
    told["gross"] = {"amount": "6.65", "currency": "USD"}
    recorded = await grocer.do("recordInvoice", "RecordInvoiceInput", RECORDED, **told)
    assert recorded["match"]["recorded"] == [
        {"number": "F-9", "net": {"amount": "5.50"}, "netDifference": {"amount": "0.10"}, "addsUp": False}
    ]
    twice = await fuel.do("recordInvoice", "RecordInvoiceInput", RECORDED, **told)
    assert (twice["code"], twice["path"]) == ("ALREADY_RECORDED", ["number"])
    for wrong, code in (({"issuer": "demo", "recipient": "fuel"}, "NOT_ALLOWED"), ({"cycle": "x"}, "NOT_FOUND")):
        refused = await grocer.do("recordInvoice", "RecordInvoiceInput", RECORDED, **told | wrong)
        assert refused["code"] == code
    assert (await grocer.run(MATCH, **asked))["invoiceMatch"] == {
        "stated": {"amount": "5.400000"},
        "invoiced": {"amount": "5.400000"},
    }
    assert await grocer.errors(MATCH, **asked | {"issuer": "demo", "recipient": "fuel"})
    for kind, begin in (("json", b"{"), ("csv", b"number,"), ("pdf", b"%PDF")):
        context = await fuel_context(fuel)
        row, content = await invoices.file(context, seen["id"], kind)
        assert (row.number, content.startswith(begin)) == ("FUEL-000001", True)


async def fuel_context(client: Client) -> Any:
    """What a call of this client is resolved with."""
    viewer = client.tokens.verify(client.headers["authorization"].removeprefix("Bearer "))
    return Context(client.house, viewer, datetime.now(UTC), "zh-CN")
