"""Wallets as they change: told to those who may see them, while they may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from alliance.runtime import Runtime
from domain.base import new_id
from domain.ledger import watching
from resolvers import ids, waking
from schema import streaming
from tests.schema.support import Client, by_card, viewer_of
from tests.schema.test_settlement import give
from tests.schema.test_subscriptions import Socket, socket_of, told, waits

CHANGED = """subscription ($member: MemberRef!) { walletChanged(member: $member) {
  currency { code } balance available held } }"""


@pytest.fixture
def today(operator: Client) -> Client:
    """The operator, by the clock on the wall."""
    return operator.at(datetime.now(UTC))


@asynccontextmanager
async def following(client: Client, member: dict[str, Any]) -> AsyncIterator[Socket]:
    """A socket on which a member's wallets are told."""
    async with socket_of(client) as socket:
        await socket.hear()
        await socket.say(type="connection_init", payload={"authorization": client.headers["authorization"]})
        assert (await socket.hear())["type"] == "connection_ack"
        await socket.say(type="subscribe", id="1", payload={"query": CHANGED, "variables": {"member": member}})
        yield socket


async def wallet(socket: Socket) -> tuple[str, int, int]:
    """The next wallet: currency, available, held."""
    message = await socket.hear()
    assert message["type"] == "next", message
    found = message["payload"]["data"]["walletChanged"]
    assert found["balance"] == found["available"] + found["held"]
    return found["currency"]["code"], found["available"], found["held"]


async def until(socket: Socket, wanted: tuple[str, int, int]) -> list[str]:
    """Whose points were told until a wallet looks so."""
    seen = []
    while True:
        found = await wallet(socket)
        seen.append(found[0])
        if found == wanted:
            return seen


async def watches(runtime: Runtime) -> int:
    """How many wait for a holder's news."""
    async with runtime.database.reader() as session:
        return int(await session.scalar(text("SELECT count(*) FROM wallet_watch")) or 0)


async def test_a14_a_member_follows_all_their_wallets_and_a_merchant_its_own(
    today: Client, fuel: Client, card: str, runtime: Runtime
) -> None:
    found = await today.run("query ($by: MemberRef!) { member(by: $by) { id } }", by=by_card(card))
    member = {"id": found["member"]["id"]}
    me = today.signed_in(viewer_of("member", member_id=ids.decode_as("Member", member["id"], 1)[0]))
    await give(today, card, 100)
    joined = {"merchant": "fuel", "channel": "STORE"}
    named = [by_card(card)["identifier"], {"type": "CARD", "issuer": "fuel", "value": f"F{card}"}]
    assert await today.do("enrolMember", "EnrolMemberInput", "... on Enrolled { created }", identifiers=named, **joined)
    async with following(me, member) as mine, following(fuel, member) as theirs:
        assert await wallet(mine) == ("GRO", 100, 0)
        await waits(today, 2)
        await give(today, card, 20)
        assert await wallet(mine) == ("GRO", 120, 0)
        await give(today, card, 7, at="fuel", of="FUE")
        assert await wallet(mine) == ("FUE", 7, 0)
        assert await wallet(theirs) == ("FUE", 7, 0)
        held = {"merchant": "grocer", "member": by_card(card), "channel": "STORE", "points": 50}
        await today.do("holdPoints", "HoldPointsInput", "... on Held { hold { id } }", currency="GRO", **held)
        assert await until(mine, ("GRO", 70, 50)) == ["GRO"]
        await give(today, card, 1, at="fuel", of="FUE")
        assert await wallet(theirs) == ("FUE", 8, 0)
        assert await watches(runtime) == 2
    await waits(today, 0)
    assert await watches(runtime) == 0


async def test_who_may_see_the_member_no_more_is_told_no_more(
    today: Client, grocer: Client, card: str, runtime: Runtime
) -> None:
    await give(today, card, 100)
    async with following(grocer, by_card(card)) as socket:
        assert await wallet(socket) == ("GRO", 100, 0)
        async with runtime.database.transaction() as session:
            await session.execute(text("DELETE FROM membership"))
        await give(today, card, 1)
        message = await socket.hear()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "NOT_FOUND"
    assert await watches(runtime) == 0


async def test_another_members_wallets_are_told_to_nobody(anonymous: Client, fuel: Client, card: str) -> None:
    stranger = anonymous.signed_in(viewer_of("member", member_id=new_id()))
    for client, code in ((stranger, "NOT_FOUND"), (fuel, "NOT_FOUND"), (anonymous, "UNAUTHENTICATED")):
        answer = await client.post(CHANGED, {"member": {"number": "1"}}, accept="text/event-stream")
        ((_, data), _) = told(answer.text)
        assert data["errors"][0]["extensions"]["code"] == code


async def test_a_token_that_expires_ends_it_though_nothing_happens(
    today: Client, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.01)
    await give(today, card, 100)
    reader = today.signed_in(viewer_of("auditor"))
    stream = asyncio.create_task(reader.post(CHANGED, {"member": by_card(card)}, accept="text/event-stream"))
    await waits(today, 1)
    reader.tokens.known.clear()
    async with asyncio.timeout(20):
        *_, (_, data), end = told((await stream).text)
    assert (data["errors"][0]["extensions"]["code"], end) == ("UNAUTHENTICATED", ("complete", None))
    await waits(today, 0)


async def test_points_that_end_by_the_clock_are_told_too(
    today: Client, grocer: Client, card: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody posts anything, so nobody wakes who waits: they look now and then."""
    monkeypatch.setattr(waking, "LOOK_SECONDS", 0.01)
    await give(today, card, 100)
    async with following(grocer, by_card(card)) as socket:
        assert await wallet(socket) == ("GRO", 100, 0)
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE lot SET expires_at = clock_timestamp()"))
        assert await wallet(socket) == ("GRO", 0, 0)
        async with runtime.database.transaction() as session:
            await session.execute(text("UPDATE lot SET expires_at = clock_timestamp() + interval '1 year'"))


async def test_only_who_is_watched_is_told_of(today: Client, card: str, runtime: Runtime) -> None:
    """NOTIFY is a lock that commits wait for: postings to others than those who are watched tell nobody."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    listener = await runtime.database.connect()
    await listener.add_listener(watching.CHANNEL, lambda *told: heard.put_nowait(told[-1]))
    [holder, other] = new_id(), new_id()
    await give(today, card, 1)
    async with runtime.database.reader() as session:
        member = await session.scalar(text("SELECT id FROM member"))
    async with runtime.database.transaction() as session:
        await watching.watch(session, member, other)
        await session.execute(text("UPDATE wallet_watch SET until = clock_timestamp() - interval '1 second'"))
        await watching.watch(session, member, holder)
    await give(today, card, 1)
    async with asyncio.timeout(20):
        assert await heard.get() == str(member)
    async with runtime.database.transaction() as session:
        await watching.leave(session, member, holder)
    assert await watches(runtime) == 0
    await give(today, card, 1)
    await listener.execute("SELECT pg_notify($1, 'last')", watching.CHANNEL)
    async with asyncio.timeout(20):
        assert await heard.get() == "last"
    await listener.close()
