"""Breaks over the endpoint: listed, worked in bulk, one answer each (A11, A14, A16, I1)."""

from typing import Any

from alliance.partnerfiles.model import Outcome
from alliance.runtime import Runtime
from resolvers import ids
from tests.alliance.breaks.support import broken, spent
from tests.alliance.support import House, days
from tests.schema.support import NOW, Client, viewer_of

SEEN = """query ($filter: BreakFilter, $order: BreakOrder, $after: String) {
    breaks(filter: $filter, orderBy: $order, first: 1, after: $after) { totalCount pageInfo { endCursor } edges { node {
        id merchant { code } counterparty { code } outcome status key line difference { amount } ours { amount }
        theirs { amount } ageDays owner cycle { number } notes { text } resolution reason closedBy } } }
    breakAges(filter: $filter) { youngest oldest count amount { amount } } }"""
WORKED = """... on BreaksWorked { approval { id status }
    items { waits refusal { ... on UserError { code path } } break { id status owner resolution notes { text } } } }"""


async def test_a11_a16_worked_in_bulk_with_one_answer_each(
    runtime: Runtime, anonymous: Client, operator: Client, fuel: Client, grocer: Client
) -> None:
    house = House(runtime)
    line = await spent(house)
    old = await broken(house, ours=5_400_000, theirs=5_500_000, line=line, opened_at=NOW - days(30))
    new = await broken(house, theirs=7_000_000, outcome=Outcome.MISSING_HERE, opened_at=NOW)
    first, second = (ids.encode("Break", id_) for id_ in (old, new))
    by_age = await operator.run(SEEN, order="AGE")
    node = by_age["breaks"]["edges"][0]["node"]
    assert (node["id"], node["merchant"], node["counterparty"]) == (first, {"code": "fuel"}, {"code": "grocer"})
    assert (node["difference"], node["ageDays"], by_age["breaks"]["totalCount"]) == ({"amount": "0.100000"}, 21, 2)
    assert [one["count"] for one in by_age["breakAges"]] == [1, 0, 1, 0]
    assert (await fuel.run(SEEN, order="AMOUNT"))["breaks"]["edges"][0]["node"]["id"] == second
    for order, last in (("AGE", second), ("AMOUNT", first)):
        cursor = (await operator.run(SEEN, order=order))["breaks"]["pageInfo"]["endCursor"]
        page = (await operator.run(SEEN, order=order, after=cursor))["breaks"]
        assert [edge["node"]["id"] for edge in page["edges"]] == [last]
    least = {"minAmount": {"amount": "5", "currency": "USD"}, "counterparty": "grocer", "status": "OPEN"}
    assert (await fuel.run(SEEN, order="AGE", filter=least))["breaks"]["totalCount"] == 1
    # The partner sees none of it (A14).
    assert (await grocer.run(SEEN, order="AGE"))["breaks"]["totalCount"] == 0
    assert (await grocer.run("query ($id: ID!) { node(id: $id) { id } }", id=first))["node"] is None
    refused = await grocer.do("assignBreaks", "AssignBreaksInput", WORKED, breaks=[first])
    assert refused["items"][0]["refusal"] == {"code": "NOT_FOUND", "path": ["breaks", "0"]}
    mine = await operator.do("assignBreaks", "AssignBreaksInput", WORKED, filter={"olderThanDays": 10})
    assert [(one["break"]["id"], one["break"]["owner"] is None) for one in mine["items"]] == [(first, False)]
    noted = await fuel.do("noteBreaks", "NoteBreaksInput", WORKED, breaks=[first, second], text="asked the till")
    assert [one["break"]["notes"] for one in noted["items"]] == [[{"text": "asked the till"}]] * 2
    claimed = await fuel.do("claimBreaks", "ClaimBreaksInput", WORKED, breaks=[first], reason="as the till says")
    assert claimed["items"][0]["refusal"] == {"code": "CLAIM_TOO_EARLY", "path": ["breaks", "0", "line"]}
    await _closed(anonymous, operator, first, second)


async def _closed(anonymous: Client, operator: Client, first: str, second: str) -> None:
    asked: dict[str, Any] = {"breaks": [first, second], "reason": "as the till says"}
    adjusted = await operator.do("adjustBreaks", "CloseBreaksInput", WORKED, **asked)
    assert [(one["waits"], one["break"]["status"]) for one in adjusted["items"]] == [(True, "OPEN")] * 2
    decided = {"approval": adjusted["approval"]["id"]}
    colleague = anonymous.signed_in(viewer_of("operator")).at(NOW)
    done = "... on Approved { approval { outcome } }"
    await colleague.do("approve", "DecideApprovalInput", done, **decided)
    again = await operator.do("writeOffBreaks", "CloseBreaksInput", WORKED, **asked)
    assert [one["refusal"]["code"] for one in again["items"]] == ["BREAK_CLOSED"] * 2
    resolution = again["items"][0]["break"]["resolution"]
    kind = "query ($id: ID!) { operation(id: $id) { kind } }"
    assert (await operator.run(kind, id=resolution))["operation"] == {"kind": "CORRECTION"}
    nothing = await operator.do("writeOffBreaks", "CloseBreaksInput", "... on UserError { code }", reason="why")
    assert nothing["code"] == "INVALID_INPUT"
