"""Payments, banks' statements and receipts over the endpoint; who sees what of them (A14)."""

from datetime import UTC, datetime

from alliance.approvals.commands import About
from alliance.banking.importing import import_statement
from alliance.runtime import Runtime
from resolvers import ids
from resolvers.viewer import Scope
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import IBANS, allow_alone, give_accounts
from tests.alliance.support import NOON, WHO, House
from tests.schema.support import Client, viewer_of

FILES = """query { alliance { cycles(first: 2) { edges { node {
  number paymentFiles { messageId kind payer { code } payments total { amount currency } path } } } } } }"""


async def files_of(client: Client) -> list[dict[str, object]]:
    (_, first) = (await client.run(FILES))["alliance"]["cycles"]["edges"]
    files: list[dict[str, object]] = first["node"]["paymentFiles"]
    return files


async def test_a14_a_payer_and_the_operator_see_the_file_and_a_payee_does_not(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    house = House(runtime)
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    (file,) = await files_of(fuel)
    assert (file["kind"], file["payer"], file["payments"]) == ("PAYMENTS", {"code": "fuel"}, [1])
    assert file["total"] == {"amount": "90.00", "currency": "USD"}
    assert await files_of(operator) == [file]
    assert await files_of(grocer) == []


RECEIPT = """receipt { id status amount { amount } left { amount } payments { cycle payment amount { amount } }
  proposal { score by payments { cycle payment } } steps { kind matchedBy by why approvedBy } }
  approval { id status }"""
LISTED = """query ($filter: ReceiptFilter) { receipts(filter: $filter) { totalCount edges { node {
  id name account reference status merchant { code } payer { code } } } } unappliedCash { amount { amount } } }"""


async def taken(house: House, *lines: Line) -> None:
    """The grocer's bank said so."""
    async with house.runtime.database.transaction() as session:
        await import_statement(session, camt(lines), house.id("grocer"), About(WHO, "test", NOON))


async def test_a14_a_payee_sees_its_receipts_and_a_payer_does_not(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    house = House(runtime)
    await give_accounts(house)
    await taken(house, Line("A", "90.00", name="Fuel", iban=IBANS["fuel"], day="2017-05-01"))
    for client in (grocer, operator):
        (edge,) = (await client.run(LISTED))["receipts"]["edges"]
        assert (edge["node"]["name"], edge["node"]["account"]) == ("Fuel", IBANS["fuel"])
        assert (edge["node"]["merchant"], edge["node"]["payer"]) == ({"code": "grocer"}, {"code": "fuel"})
        node = f'{{ node(id: "{edge["node"]["id"]}") {{ id }} }}'
        assert (await client.run(node))["node"] is not None
    assert (await fuel.run(LISTED))["receipts"] == {"totalCount": 0, "edges": []}
    assert (await fuel.run(node))["node"] is None
    filtered = {"filter": {"status": "APPLIED", "unapplied": True, "merchant": "grocer"}}
    assert (await operator.run(LISTED, **filtered))["receipts"]["totalCount"] == 0


async def test_a16_matching_takes_two_people_of_the_merchant(
    runtime: Runtime, anonymous: Client, operator: Client
) -> None:
    house = House(runtime)
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    await taken(house, Line("A", "100.00", day="2017-05-01"))
    merchant_id = house.id("grocer")
    own = {"merchant_id": merchant_id, "scopes": frozenset(Scope)}
    first_viewer, second = viewer_of("merchant", **own), anonymous.signed_in(viewer_of("merchant", **own))
    first, elsewhere = (anonymous.signed_in(viewer) for viewer in (first_viewer, first_viewer))
    other = anonymous.signed_in(viewer_of("merchant", merchant_id=house.id("fuel"), scopes=frozenset(Scope)))
    (edge,) = (await first.run(LISTED))["receipts"]["edges"]
    id_ = edge["node"]["id"]
    wanted = {"receipt": id_, "payments": [{"cycle": 1, "payment": 1}], "reason": "by phone"}
    asked = await first.do("matchReceipt", "MatchReceiptInput", f"... on ReceiptMatched {{ {RECEIPT} }}", **wanted)
    assert asked["receipt"]["status"] == "OPEN"
    approval = asked["approval"]["id"]
    done = "... on Approved { approval { status } }"
    for same in (first, elsewhere):
        said = await same.do("approve", "DecideApprovalInput", done, approval=approval)
        assert said["__typename"] == "SameHands", "another key and another token are no second person"
    for stranger in (other, operator):
        said = await stranger.do("approve", "DecideApprovalInput", done, approval=approval)
        assert said["__typename"] == "NotFound"
    said = await second.do("approve", "DecideApprovalInput", done, approval=approval)
    assert said["approval"]["status"] == "APPROVED"
    foreign = await other.do("unmatchReceipt", "UnmatchReceiptInput", "__typename", receipt=id_, reason="mine")
    assert foreign["__typename"] == "NotFound"
    refunded = f"... on CashRefunded {{ {RECEIPT} }}"
    asked = await first.do("refundCash", "RefundCashInput", refunded, receipt=id_, reason="too much")
    assert (asked["receipt"]["status"], asked["receipt"]["left"]) == ("PARTLY", {"amount": "10.00"})
    (step,) = asked["receipt"]["steps"]
    assert (step["kind"], step["matchedBy"], step["why"]) == ("MATCHED", "BY_HAND", "by phone")
    assert step["by"] != step["approvedBy"]


async def test_a16_releasing_and_holding_over_graphql(runtime: Runtime, operator: Client) -> None:
    house = House(runtime)
    await give_accounts(house)
    await allow_alone(house, "HOLD_PAYMENT", "RELEASE_HELD_PAYMENT", "RELEASE_PAYMENTS")
    await house.earn(await house.member(), "fuel", 10_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    standing = "payments { endToEnd heldBack daysLate receivedOn }"
    want = f"cycle {{ paymentFiles {{ releasedAt }} {standing} }} approval {{ id }}"
    named = {"cycle": ids.encode("SettlementCycle", cycle.id), "reason": "as agreed"}
    held = await operator.do("holdPayment", "HoldPaymentInput", f"... on PaymentHeld {{ {want} }}", payment=1, **named)
    (payment,) = held["cycle"].pop("payments")
    assert payment == {"endToEnd": "DEMO-C1-P1", "heldBack": True, "daysLate": 0, "receivedOn": None}
    assert held == {"__typename": "PaymentHeld", "cycle": {"paymentFiles": []}, "approval": None}
    late = operator.at(datetime(2017, 6, 12, 12, tzinfo=UTC))
    query = "{ alliance { cycles(first: 2) { edges { node { payments { daysLate } } } } } }"
    (_, edge) = (await late.run(query))["alliance"]["cycles"]["edges"]
    assert edge["node"]["payments"] == [{"daysLate": 4}]
    nothing = await operator.do("releasePayments", "ReleasePaymentsInput", "__typename", **named)
    assert nothing["__typename"] == "NotMatching"
    lifted = f"... on HeldPaymentReleased {{ {want} }}"
    assert (await operator.do("releaseHeldPayment", "HoldPaymentInput", lifted, payment=1, **named))["approval"] is None
    released = f"... on PaymentsReleased {{ {want} }}"
    said = await operator.do("releasePayments", "ReleasePaymentsInput", released, **named)
    assert said["cycle"]["paymentFiles"][0]["releasedAt"] is not None
