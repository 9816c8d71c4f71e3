"""Archived operations over the endpoint: refused by name, and the past before them not told wrongly."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from alliance.archive.commands import archive
from alliance.proofs import bundle
from alliance.runtime import Runtime
from server.commands.log import _bundle
from tests.schema.support import NOW, Client, by_card, viewer_of
from tests.schema.test_mutations import earn, spend
from tests.schema.test_proofs import KEYS, seal_all

WALLET = """query ($by: MemberRef!, $at: DateTime) { member(by: $by) { wallet(currency: "GRO", asOf: $at) {
  balance lifetime { earned spent } statement { totalCount } } } }"""
REVERSED = "... on Reversed { points }"


async def test_an_archived_operation_over_the_endpoint(
    runtime: Runtime, operator: Client, card: str, tmp_path: Path
) -> None:
    operation = (await earn(operator, card, points=100))["operation"]["id"]
    await spend(operator, card, points=100)
    await seal_all(runtime)
    async with runtime.database.session() as session:
        before = await _bundle(session, operation, None, None, terms=True)
    connection = await runtime.database.connect()
    [block] = await archive(connection, tmp_path, datetime(2100, 1, 1, tzinfo=UTC), KEYS)
    await connection.close()
    assert block.operations == 2

    now = (await operator.run(WALLET, by=by_card(card)))["member"]["wallet"]
    assert now == {"balance": 0, "lifetime": {"earned": 100, "spent": 100}, "statement": {"totalCount": 0}}
    refused = await operator.do("reverse", "ReverseInput", REVERSED, operation=operation, reason="returned")
    assert (refused["code"], refused["path"]) == ("OPERATION_ARCHIVED", ["operation"])
    [error] = await operator.errors(WALLET, by=by_card(card), at=(NOW - timedelta(days=1)).isoformat())
    assert "what moved after asOf was archived" in error["message"]
    asked = "query ($id: ID!) { operation(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }"
    answer = (await operator.post(asked, {"id": operation})).json()
    assert answer["data"] == {"operation": None, "node": None, "nodes": [None]}
    archived = {"code": "OPERATION_ARCHIVED", "path": ["id"]}
    said = sorted((one["path"], one["extensions"]) for one in answer["errors"])
    assert said == [(["node"], archived), (["operation"], archived)]
    stranger = operator.signed_in(viewer_of("member", member_id=uuid.uuid4()))
    assert await stranger.run("query ($id: ID!) { operation(id: $id) { id } }", id=operation) == {"operation": None}
    async with runtime.database.session() as session:
        again = await _bundle(session, operation, None, tmp_path / block.file, terms=True)
    assert again == before
    assert bundle.check(orjson.dumps(again), [KEYS[0].public]).operation["kind"] == "EARN"
