"""Following what happened: over GraphQL and as CloudEvents; docs/events.md says what happens, and all kinds."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.feed.kinds import DATA, OF_OPERATION
from alliance.proofs.commands import SEALER, prepare, seal
from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from domain.events.kinds import EventKind
from domain.ledger.model import OperationKind
from resolvers.context import House
from server.events import BATCH, Events
from tests.log_support import others_have_ended
from tests.schema.support import SECRET, Client, Tokens, by_card, viewer_of
from tests.schema.test_docs import EXAMPLE, fits

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
KEYS = [PrivateKey.new("log.test")]
EVENTS = """query ($first: Int, $after: String, $kinds: [EventKind!], $member: ID) {
  events(first: $first, after: $after, kinds: $kinds, member: $member) {
    edges { cursor node { id number kind data } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""


async def sealed(runtime: Runtime) -> None:
    """Number what has happened."""
    connection = await runtime.database.connect(**SEALER)
    await prepare(connection, KEYS)
    await others_have_ended(connection)
    await seal(connection, KEYS)
    await connection.close()


async def shopped(operator: Client, card: str) -> None:
    """An earn of 210 at the grocer's, and 100 of it spent at the filling station."""
    ask = {"member": by_card(card), "channel": "STORE"}
    money = {"amount": "210.00", "currency": "USD"}
    earned = await operator.do("earn", "EarnInput", "", **ask, merchant="grocer", amount=money, orderRef="31198570044")
    assert earned["__typename"] == "Earned"
    spent = await operator.do("redeem", "RedeemInput", "", **ask, merchant="fuel", currency="GRO", points=100)
    assert spent["__typename"] == "Redeemed"


class Follower:
    """GET /events as one viewer."""

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens, viewer: Any) -> None:
        self._http, self._headers = http, {"authorization": f"Bearer {tokens.give(viewer)}"}

    async def get(self, **asked: Any) -> httpx.Response:
        """One request."""
        return await self._http.get("/events", params=asked, headers=self._headers)


@pytest.fixture
async def follow(runtime: Runtime) -> AsyncIterator[Any]:
    """Makes followers."""
    tokens = Tokens()
    app = Starlette(routes=[Route("/events", Events(House(runtime, SECRET), tokens).get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as http:
        yield lambda *kind, **more: Follower(http, tokens, viewer_of(*kind, **more))


async def test_the_page_says_what_happens(operator: Client, card: str, runtime: Runtime) -> None:
    await shopped(operator, card)
    await sealed(runtime)
    page = PAGE.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```graphql") > 0
    for document, answer in examples:
        found = await operator.run(document)
        assert fits(orjson.loads(answer), found), found


def test_the_page_has_all_kinds_with_their_fields() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {kind: dict(re.findall(r"`(\w+)` ([^`]+?)(?:, (?=`)|$)", fields)) for kind, fields in rows}
    assert said == {kind: {name: what.value for name, what in fields.items()} for kind, fields in DATA.items()}
    assert set(DATA) == set(EventKind)


def test_every_operation_is_an_event() -> None:
    assert set(OF_OPERATION) == set(OperationKind)


async def test_pages_go_on_after_the_last_and_miss_nothing(operator: Client, card: str, runtime: Runtime) -> None:
    await shopped(operator, card)
    await sealed(runtime)
    whole = (await operator.run(EVENTS, first=100))["events"]
    seen, page = [], {"pageInfo": {"hasNextPage": True, "endCursor": None}}
    while page["pageInfo"]["hasNextPage"]:
        page = (await operator.run(EVENTS, first=1, after=page["pageInfo"]["endCursor"]))["events"]
        seen += page["edges"]
    assert seen == whole["edges"]
    assert [edge["node"]["number"] for edge in seen] == [str(n) for n in range(len(seen))]
    member = seen[-1]["node"]["data"]["member"]
    mine = (await operator.run(EVENTS, member=member, kinds=["POINTS_SPENT", "MEMBER_JOINED"]))["events"]
    assert [edge["node"]["kind"] for edge in mine["edges"]] == ["MEMBER_JOINED", "POINTS_SPENT"]
    await shopped(operator, card)
    await sealed(runtime)
    later = (await operator.run(EVENTS, after=whole["pageInfo"]["endCursor"]))["events"]
    assert [edge["node"]["kind"] for edge in later["edges"]] == ["POINTS_EARNED", "POINTS_SPENT"]


async def test_a14_over_graphql(operator: Client, grocer: Client, fuel: Client, card: str, runtime: Runtime) -> None:
    """The issuer sees what its points did at a partner, not that partner's order; nobody else's events."""
    await shopped(operator, card)
    ask = {"member": by_card(card), "channel": "STORE", "merchant": "fuel", "orderRef": "secret"}
    await operator.do("earn", "EarnInput", "", **ask, points=7)
    await operator.do("redeem", "RedeemInput", "", **ask, currency="GRO", points=9)
    await sealed(runtime)
    kinds = ["POINTS_EARNED", "POINTS_SPENT", "MEMBER_JOINED"]
    seen = [edge["node"] for edge in (await grocer.run(EVENTS, kinds=kinds))["events"]["edges"]]
    assert [one["kind"] for one in seen] == ["MEMBER_JOINED", "POINTS_EARNED", "POINTS_SPENT", "POINTS_SPENT"]
    assert "secret" not in str(seen)
    assert "31198570044" in str(seen)
    theirs = [edge["node"] for edge in (await fuel.run(EVENTS, kinds=kinds))["events"]["edges"]]
    assert [one["kind"] for one in theirs] == ["POINTS_SPENT", "POINTS_EARNED", "POINTS_SPENT"]
    assert "31198570044" not in str(theirs)
    refused = await operator.errors('{ events(after: "nonsense") { edges { cursor } } }')
    assert refused[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_cloud_events_in_batches(follow: Any, operator: Client, card: str, runtime: Runtime) -> None:
    await shopped(operator, card)
    await sealed(runtime)
    grocer = follow("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id)
    answer = await grocer.get(kinds="POINTS_EARNED,POINTS_SPENT", limit=1)
    assert (answer.status_code, answer.headers["content-type"]) == (200, BATCH)
    [first] = answer.json()
    assert set(first) == {
        "specversion", "id", "source", "type", "time", "sequence", "subject", "datacontenttype", "data",
    }  # fmt: skip
    assert (first["type"], first["source"], first["subject"]) == (
        "tessera.POINTS_EARNED",
        "/tessera/demo",
        first["data"]["member"],
    )
    assert int(first["sequence"]) == int(answer.headers["tessera-next"])
    following = await grocer.get(after=answer.headers["tessera-next"])
    assert f"after={following.headers['tessera-next']}" in following.headers["link"]
    assert [one["type"] for one in following.json()] == ["tessera.POINTS_SPENT"]
    assert [one["data"]["changes"] for one in following.json()] == [[{"currency": "GRO", "points": -100}]]


async def test_whoever_waits_is_told_when_it_happens(
    follow: Any, operator: Client, card: str, runtime: Runtime
) -> None:
    await sealed(runtime)
    follower = follow("operator")
    ends = (await follower.get()).headers["tessera-next"]
    assert (await follower.get(after=ends)).json() == []
    waiting = asyncio.create_task(follower.get(after=ends, wait=60))
    await shopped(operator, card)
    await sealed(runtime)
    async with asyncio.timeout(60):
        assert [one["type"] for one in (await waiting).json()] == ["tessera.POINTS_EARNED", "tessera.POINTS_SPENT"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"after": "-2"}, 400),
        ({"after": "x"}, 400),
        ({"after": str(2**70)}, 400),
        ({"limit": "0"}, 400),
        ({"limit": "1001"}, 400),
        ({"wait": "61"}, 400),
        ({"wait": "nan"}, 400),
        ({"kinds": "NOTHING"}, 400),
        ({}, 200),
    ],
)
async def test_what_is_asked_must_make_sense(follow: Any, asked: dict[str, str], status: int) -> None:
    answer = await follow("operator").get(**asked)
    assert answer.status_code == status, answer.text


async def test_events_are_for_merchants_and_the_operator_with_the_scope(follow: Any) -> None:
    assert (await follow("auditor").get()).status_code == 403
    assert (await follow("operator", scopes=["points:read"]).get()).status_code == 403
