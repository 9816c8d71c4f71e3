"""Pairs of members over the endpoint: the operator's queue, why each is in it, and what is decided."""

from datetime import UTC, datetime
from typing import Any

from alliance.runtime import Runtime
from benchmarks.duplicates import RANGE, join, lay_out
from domain.duplicates.commands import note_keys, propose
from domain.duplicates.queries import cut_members
from tests.schema.support import Client
from tests.workers.test_duplicates import ANN, ANNE, BOB

PAGE = """query($filter: DuplicateFilter, $after: String) {
  duplicateCandidates(filter: $filter, first: 1, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node {
    id probability exact status note members { number } features { name comparison weight } } } } }"""
DECIDED = "... on DuplicateDecided { candidate { status note decidedAt } }"


async def pairs(runtime: Runtime) -> None:
    """Ann who joined twice, once as Anne; and Bob."""
    await lay_out(runtime)
    await join(runtime.database, runtime.catalogue, [ANN, BOB, ANNE])
    async with runtime.database.transaction() as session:
        [first] = await cut_members(session, RANGE)
        await note_keys(session, runtime.catalogue, first, None)
        assert await propose(session, runtime.catalogue, first, None, datetime.now(UTC)) == 1


async def seen(client: Client, **filter: Any) -> Any:
    return (await client.run(PAGE, filter=filter))["duplicateCandidates"]


async def test_the_operator_sees_why_and_decides(runtime: Runtime, operator: Client, grocer: Client) -> None:
    await pairs(runtime)
    found = await seen(operator)
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (1, False)
    pair = found["edges"][0]["node"]
    assert (pair["exact"], pair["status"], len(pair["members"])) == (True, "PROPOSED", 2)
    assert float(pair["probability"]) > 0.99
    assert {"name": "birthday", "comparison": "same", "weight": "14.17"} in pair["features"]
    number = pair["members"][0]["number"]
    for filter in ({"member": {"number": number}}, {"leastProbability": "0.9"}):
        assert (await seen(operator, **filter))["totalCount"] == 1
    assert (await seen(operator, leastProbability="1"))["totalCount"] in (0, 1)
    [denied] = await grocer.errors(PAGE)
    assert denied["extensions"]["code"] == "FORBIDDEN"
    [beyond] = await operator.errors(PAGE, filter={"leastProbability": "1.5"})
    assert beyond["extensions"]["code"] == "BAD_USER_INPUT"
    asked = {"candidate": pair["id"], "decision": "LATER"}
    later = await operator.do("decideDuplicate", "DecideDuplicateInput", DECIDED, **asked)
    assert later["candidate"]["status"] == "LATER"
    assert (await seen(operator))["totalCount"] == 0
    kept = await operator.do(
        "decideDuplicate", "DecideDuplicateInput", DECIDED, **(asked | {"decision": "NOT_SAME", "note": "sisters"})
    )
    assert (kept["candidate"]["status"], kept["candidate"]["note"]) == ("NOT_SAME", "sisters")
    node = (await operator.run("query($id: ID!) { node(id: $id) { __typename id } }", id=pair["id"]))["node"]
    assert node == {"__typename": "DuplicateCandidate", "id": pair["id"]}
    too_long = await operator.do("decideDuplicate", "DecideDuplicateInput", DECIDED, **(asked | {"note": "x" * 501}))
    assert (too_long["code"], too_long["path"]) == ("INVALID_INPUT", ["note"])
    nothing = await operator.do("decideDuplicate", "DecideDuplicateInput", DECIDED, candidate="x", decision="LATER")
    assert (nothing["code"], nothing["path"]) == ("NOT_FOUND", ["candidate"])


async def test_pages_go_on_after_a_cursor(runtime: Runtime, operator: Client) -> None:
    await lay_out(runtime)
    carl = BOB.__class__("Carl", "Moss", "1960-05-05", "", "", "9 Elm Street", 3)
    again = carl.__class__("Carl", "Moss", "1960-05-05", "", "", "9 Elm Street", 3, again=True)
    await join(runtime.database, runtime.catalogue, [ANN, ANNE, carl, again])
    async with runtime.database.transaction() as session:
        [first] = await cut_members(session, RANGE)
        await note_keys(session, runtime.catalogue, first, None)
        assert await propose(session, runtime.catalogue, first, None, datetime.now(UTC)) == 2
    one = await seen(operator)
    assert one["pageInfo"]["hasNextPage"]
    other = (await operator.run(PAGE, after=one["pageInfo"]["endCursor"]))["duplicateCandidates"]
    assert not other["pageInfo"]["hasNextPage"]
    assert one["edges"][0]["node"]["id"] != other["edges"][0]["node"]["id"]


async def test_a_pair_is_merged_at_a_persons_word(runtime: Runtime, operator: Client) -> None:
    await pairs(runtime)
    pair = (await seen(operator))["edges"][0]["node"]
    one, other = (member["number"] for member in pair["members"])
    asked = {
        "candidate": pair["id"],
        "decision": "MERGE",
        "survivor": {"number": other},
        "idempotencyKey": "merge-them",
    }
    stranger = await operator.do(
        "decideDuplicate", "DecideDuplicateInput", DECIDED, **(asked | {"survivor": {"number": "1"}})
    )
    assert (stranger["code"], stranger["path"]) == ("NOT_FOUND", ["survivor"])
    for _ in range(2):
        merged = await operator.do("decideDuplicate", "DecideDuplicateInput", DECIDED, **asked)
        assert merged["candidate"]["status"] == "MERGED"
    query = "query($by: MemberRef!) { member(by: $by) { number } }"
    assert (await operator.run(query, by={"number": one}))["member"]["number"] == other
    assert (await seen(operator))["totalCount"] == 0
    assert (await seen(operator, status="MERGED"))["totalCount"] == 1
