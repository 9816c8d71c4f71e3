"""Runs over files: who sees which, what they refused, and undoing one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.accrual.errors import ColumnMissing
from alliance.accrual.model import AccrualRefusal, AccrualRun, FeedRow
from alliance.runtime import Runtime
from domain.base import new_id
from domain.errors import InvalidInput
from resolvers import ids
from resolvers.context import House
from server.accruals import Refusals
from tests.schema.support import NOW, SECRET, Client

LISTED = """query ($merchant: String, $feed: String, $first: Int, $after: String) {
  accrualRuns(merchant: $merchant, feed: $feed, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { node { id feed file status posted refused merchant { code } refusal { code message } refusals } } } }"""


@pytest.fixture
async def runs(runtime: Runtime) -> Mapping[str, UUID]:
    """Two runs of the grocer, one of the filling station's; their ids by file."""
    made = {}
    async with runtime.database.transaction() as session:
        for code, file in (("grocer", "a.csv"), ("grocer", "b.csv"), ("fuel", "c.csv")):
            merchant = runtime.catalogue.merchants[code].id
            definition = {"format": "csv", "delimiter": ";"}
            feed = FeedRow(id=new_id(), code=f"feed-{file[0]}", merchant_id=merchant, definition=definition)
            run = AccrualRun(id=new_id(), feed_id=feed.id, merchant_id=merchant, definition=definition, file=file)
            run.stamp, run.size, run.started_at, run.started_by = "1", 1, NOW, "schedule"
            run.columns, run.status = ["card", "total"], "DONE" if file != "b.csv" else "REFUSED"
            if file == "b.csv":
                run.refusal = ColumnMissing(column="at", path=("at",)).to_json()
            session.add_all([feed, run])
            made[file] = run.id
        refusal = InvalidInput(reason="odd", path=("total",)).to_json()
        content = orjson.dumps(["900", "x;y"]).decode()
        session.add(AccrualRefusal(run_id=made["c.csv"], line=2, refusal=refusal, content=content))
    return made


async def listed(client: Client, **asked: Any) -> list[Any]:
    told = (await client.run(LISTED, **asked))["accrualRuns"]
    return [edge["node"] for edge in told["edges"]]


async def test_a14_a_merchant_sees_the_runs_of_its_own_files(
    operator: Client, grocer: Client, fuel: Client, runs: Mapping[str, UUID]
) -> None:
    assert [run["file"] for run in await listed(operator)] == ["c.csv", "b.csv", "a.csv"]
    assert [run["file"] for run in await listed(operator, merchant="fuel")] == ["c.csv"]
    assert [run["file"] for run in await listed(operator, feed="feed-a")] == ["a.csv"]
    assert await listed(operator, feed="none") == await listed(fuel, merchant="grocer") == []
    first = (await operator.run(LISTED, first=2))["accrualRuns"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert [run["file"] for run in await listed(operator, after=first["pageInfo"]["endCursor"])] == ["a.csv"]
    refused, done = await listed(grocer.speaking("zh-CN"))
    assert (refused["status"], refused["refusal"]["message"]) == ("REFUSED", "缺少列 'at'")
    assert (done["merchant"], done["refusals"]) == ({"code": "grocer"}, f"/accruals/{runs['a.csv']}/refusals")
    node = "query ($id: ID!) { node(id: $id) { ... on AccrualRun { file } } }"
    theirs = ids.encode("AccrualRun", runs["c.csv"])
    assert await fuel.run(node, id=theirs) == {"node": {"file": "c.csv"}}
    assert await grocer.run(node, id=theirs) == {"node": None}


async def test_a14_what_was_refused_is_downloaded_by_who_may_see_the_run(
    runtime: Runtime, grocer: Client, fuel: Client, runs: Mapping[str, UUID]
) -> None:
    endpoint = Refusals(House(runtime, SECRET), fuel.tokens)
    app = Starlette(routes=[Route("/accruals/{run}/refusals", endpoint.get)])
    path = f"/accruals/{runs['c.csv']}/refusals"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get(path, headers=dict(fuel.headers))
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''c.refused.csv"
        lines = ["card;total;error_line;error_code;error_path;error_message", '900;"x;y";2;INVALID_INPUT;total;odd']
        assert answer.text.splitlines() == lines
        assert (await http.get(path, headers=dict(grocer.headers))).status_code == 404
        assert (await http.get("/accruals/none/refusals", headers=dict(fuel.headers))).status_code == 404
        assert (await http.get(path)).status_code == 401


async def test_the_operator_undoes_a_run_once(operator: Client, grocer: Client, runs: Mapping[str, UUID]) -> None:
    want = "... on RunUndoing { reversed kept { code } run { status undo { why } } } ... on RunNotUndoable { status }"
    done = ids.encode("AccrualRun", runs["a.csv"])

    async def undo(run: str, **more: Any) -> Any:
        return await operator.do("undoRun", "UndoRunInput", want, run=run, reason="wrong", **more)

    foreseen = await undo(done, dryRun=True)
    assert (foreseen["reversed"], foreseen["kept"], foreseen["run"]["status"]) == (0, [], "DONE")
    for _ in range(2):
        begun = await undo(done, idempotencyKey="undo-run-a")
        assert begun["run"] == {"status": "UNDOING", "undo": {"why": "wrong"}}
    again = await undo(done)
    assert (again["code"], again["status"]) == ("RUN_NOT_UNDOABLE", "UNDOING")
    assert (await undo(ids.encode("AccrualRun", runs["b.csv"])))["status"] == "REFUSED"
    assert (await undo(ids.encode("AccrualRun", new_id())))["path"] == ["run"]
    sent = f'{{idempotencyKey: "12345678", run: "{done}", reason: "x"}}'
    (refused,) = await grocer.errors(f"mutation {{ undoRun(input: {sent}) {{ __typename }} }}")
    assert refused["extensions"]["code"] == "FORBIDDEN"
