"""What is told as it happens: as server-sent events, and over a web socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from resolvers import waking
from schema.http import GraphQLView
from tests.schema.support import Client, viewer_of
from tests.schema.test_settlement import give

PROGRESS = """subscription ($cycle: ID!) { settlementProgress(cycle: $cycle) {
  number status positions { merchant { code } amount { amount } } transitions { status } } }"""


def view_of(client: Client) -> GraphQLView:
    """The application behind a client."""
    app: GraphQLView = client.http._transport.app  # type: ignore[attr-defined]
    return app


def told(answer: str) -> list[tuple[str, Any]]:
    """Kind and data of each event of a stream."""
    parts = [part.split("\n") for part in answer.strip().split("\n\n") if not part.startswith(":")]
    return [(kind.removeprefix("event: "), orjson.loads(data[6:]) if data[6:] else None) for kind, data in parts]


async def opened(operator: Client, card: str) -> str:
    """A cycle with something to pay."""
    await give(operator, card, 2000, at="fuel")
    found: str = (await operator.run("{ alliance { openCycle { id } } }"))["alliance"]["openCycle"]["id"]
    return found


async def settle(operator: Client, cycle: str) -> None:
    """Through all its steps."""
    steps = [("closeCycle", "CloseCycleInput"), ("issueStatements", "CycleStepInput")]
    steps += [("confirmStatement", "ConfirmStatementInput"), ("netCycle", "CycleStepInput")]
    for step, kind in [*steps, ("settleCycle", "CycleStepInput"), ("recordReceipt", "RecordReceiptInput")]:
        await operator.do(step, kind, "", cycle=cycle)


async def waits(client: Client, many: int) -> None:
    """Until so many wait to be woken."""
    async with asyncio.timeout(20):
        while view_of(client).house.waking._clients.total() != many:
            await asyncio.to_thread(lambda: None)


async def test_progress_is_told_as_events_until_the_cycle_is_settled(operator: Client, fuel: Client, card: str) -> None:
    """Each sees its own side (A14). What comes while one is told comes together, and the last state always comes."""
    cycle = await opened(operator, card)
    ask = {"accept": "text/event-stream"}
    streams = [asyncio.create_task(one.post(PROGRESS, {"cycle": cycle}, **ask)) for one in (operator, fuel)]
    await waits(operator, 2)
    await settle(operator, cycle)
    for stream, codes in zip(streams, ({"fuel", "grocer"}, {"fuel"}), strict=True):
        async with asyncio.timeout(20):
            answer = await stream
        assert answer.headers["content-type"].startswith("text/event-stream")
        *following, end = told(answer.text)
        assert end == ("complete", None)
        assert {kind for kind, _ in following} == {"next"}
        seen = [data["data"]["settlementProgress"] for _, data in following]
        steps = [len(one["transitions"]) for one in seen]
        assert (steps, seen[-1]["status"]) == (sorted(steps), "SETTLED")
        assert all({p["merchant"]["code"] for p in one["positions"]} == codes for one in seen)
    await waits(operator, 0)


@pytest.mark.parametrize("query", ["{ viewer { kind } }", "subscription { nothing }", "}", PROGRESS])
async def test_what_is_no_subscription_of_a_cycle_is_an_error(operator: Client, query: str) -> None:
    answer = await operator.post(query, {"cycle": "none"}, accept="text/event-stream")
    (kind, data), end = told(answer.text)
    assert (kind, end) == ("next", ("complete", None))
    assert data["errors"][0]["extensions"]["code"] != "INTERNAL"


async def test_who_may_not_is_not_told(anonymous: Client, operator: Client, card: str) -> None:
    cycle = await opened(operator, card)
    member = anonymous.signed_in(viewer_of("member"))
    for client, code in ((anonymous, "UNAUTHENTICATED"), (member, "FORBIDDEN")):
        answer = await client.post(PROGRESS, {"cycle": cycle}, accept="text/event-stream")
        ((_, data), _) = told(answer.text)
        assert data["errors"][0]["extensions"]["code"] == code


async def test_a_client_subscribes_so_often_and_no_more(
    operator: Client, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "MOST_OF_ONE", 1)
    cycle = await opened(operator, card)
    first = asyncio.create_task(operator.post(PROGRESS, {"cycle": cycle}, accept="text/event-stream"))
    await waits(operator, 1)
    second = await operator.post(PROGRESS, {"cycle": cycle}, accept="text/event-stream")
    ((_, data), _) = told(second.text)
    assert data["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    await operator.do("abortCycle", "CycleStepInput", "", cycle=cycle)
    async with asyncio.timeout(20):
        assert told((await first).text)[-2][1]["data"]["settlementProgress"]["status"] == "ABORTED"


class Socket:
    """The other end of a web socket of the application."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.received: asyncio.Queue[Any] = asyncio.Queue()

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.sent.put({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    async def hear(self) -> Any:
        """The next message, or how it was closed."""
        async with asyncio.timeout(20):
            event = await self.received.get()
        return orjson.loads(event["text"]) if event["type"] == "websocket.send" else event


@asynccontextmanager
async def socket_of(client: Client, protocol: str = "graphql-transport-ws") -> AsyncIterator[Socket]:
    """A connection to the application of a client."""
    from starlette.websockets import WebSocket

    ours = Socket()
    scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": [protocol], "query_string": b""}
    await ours.sent.put({"type": "websocket.connect"})
    task = asyncio.create_task(view_of(client).socket(WebSocket(scope, ours.sent.get, ours.received.put)))
    yield ours
    await ours.sent.put({"type": "websocket.disconnect", "code": 1000})
    async with asyncio.timeout(20):
        await task


async def test_progress_is_told_over_a_web_socket(operator: Client, card: str) -> None:
    cycle = await opened(operator, card)
    async with socket_of(operator) as socket:
        assert (await socket.hear())["subprotocol"] == "graphql-transport-ws"
        await socket.say(type="connection_init", payload={"authorization": operator.headers["authorization"]})
        assert (await socket.hear())["type"] == "connection_ack"
        await socket.say(type="subscribe", id="1", payload={"query": PROGRESS, "variables": {"cycle": cycle}})
        first = await socket.hear()
        assert (first["type"], first["id"]) == ("next", "1")
        assert first["payload"]["data"]["settlementProgress"]["status"] == "OPEN"
        await socket.say(type="subscribe", id="2", payload={"query": "{ viewer { kind } }"})
        refused = await socket.hear()
        assert (refused["id"], "errors" in refused["payload"] or refused["type"] == "error") == ("2", True)
        await settle(operator, cycle)
        last, status = "", ""
        while last != "complete" or status == "":
            message = await socket.hear()
            if message["id"] == "1":
                last = message["type"]
                status = message["payload"]["data"]["settlementProgress"]["status"] if last == "next" else status
        assert status == "SETTLED"
    await waits(operator, 0)


async def test_a_socket_is_for_who_signed_in_and_speaks_the_protocol(operator: Client) -> None:
    async with socket_of(operator, "graphql-ws") as socket:
        assert (await socket.hear())["code"] == 4406
    async with socket_of(operator) as socket:
        await socket.hear()
        await socket.say(type="connection_init", payload={"authorization": "Bearer wrong"})
        assert (await socket.hear())["code"] == 4403


async def test_a_token_that_is_good_no_more_ends_what_was_subscribed_with_it(operator: Client, card: str) -> None:
    cycle = await opened(operator, card)
    reader = operator.signed_in(viewer_of("auditor"))
    stream = asyncio.create_task(reader.post(PROGRESS, {"cycle": cycle}, accept="text/event-stream"))
    await waits(operator, 1)
    reader.tokens.known.pop(reader.headers["authorization"].removeprefix("Bearer "))
    await operator.do("closeCycle", "CloseCycleInput", "", cycle=cycle)
    async with asyncio.timeout(20):
        *_, (_, data), end = told((await stream).text)
    assert (data["errors"][0]["extensions"]["code"], end) == ("UNAUTHENTICATED", ("complete", None))
