"""Webhooks as partners get them: signed, in order of each member, again until they are taken."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Receiver

from alliance.feed import queries as feed
from alliance.runtime import Runtime
from alliance.webhooks import commands, queries
from alliance.webhooks.rules import Patience, secret_of
from domain.base import new_id
from tests.ledger_support import rows
from tests.workers.hooks import (
    MASTER,
    QUICK,
    Partner,
    delivering,
    happen,
    hook,
    partner,
    statuses,
    until,
    until_sent,
    well,
)
from tests.workers.test_outgoing import PARTNER, Authority, endpoint
from workers import courier


@pytest.fixture
async def grocers(runtime: Runtime) -> AsyncIterator[Partner]:
    """The grocer's endpoint. What happened so far has its number: it comes before all webhooks."""
    await happen(runtime)
    async with partner() as made:
        yield made


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "POLL", 0.05)
    monkeypatch.setattr(courier, "PAUSE", 0.05)


async def test_i4_messages_are_signed_as_the_scheme_has_it(runtime: Runtime, grocers: Partner) -> None:
    webhook, ann = await hook(runtime, grocers.url), new_id()
    async with delivering(runtime):
        await happen(runtime, ann)
        await until_sent(runtime, webhook, DELIVERED=1)
        async with runtime.database.transaction() as session:
            mine = await commands.locked(session, webhook.id, webhook.merchant_id, any_owner=False)
            await commands.rotate(session, mine, datetime.now(UTC))
        await happen(runtime, ann)
        await until_sent(runtime, webhook, DELIVERED=2)
    old, new = (Receiver(secret_of(MASTER, webhook.id, generation)) for generation in (1, 2))
    (first, body), (second, later) = grocers.messages
    told = old.verify(body, first)
    assert (told["type"], told["id"]) == ("tessera.MEMBER_LINKED", first["webhook-id"])
    assert old.verify(later, second) == new.verify(later, second), "both secrets sign for a day"
    assert first["content-type"] == "application/cloudevents+json"
    with pytest.raises(Exception, match="No matching signature"):
        new.verify(body, first)


async def test_i4_a_later_event_of_a_member_waits_for_the_earlier_one(runtime: Runtime, grocers: Partner) -> None:
    """Ann's first message fails twice; hers wait, Bob's do not."""
    webhook, ann, bob = await hook(runtime, grocers.url), new_id(), new_id()
    tries: Counter[str] = Counter()

    async def answers(told: dict[str, Any]) -> web.Response:
        tries[told["id"]] += 1
        first_of_ann = told["sequence"] == min(seen)
        return web.Response(status=500 if first_of_ann and tries[told["id"]] < 3 else 200)

    seen: list[str] = []
    grocers.answers = answers
    await happen(runtime, ann, bob, ann, bob, ann)
    async with runtime.database.reader() as session:
        happened = (await feed.after(session, runtime.catalogue, webhook.place, 100, merchant_id=None)).happened
    seen += [f"{one.position:020}" for one in happened]
    async with delivering(runtime):
        await until_sent(runtime, webhook, DELIVERED=5)
    order = [orjson.loads(body)["sequence"] for _, body in grocers.messages]
    anns = [one for one in order if one in (seen[0], seen[2], seen[4])]
    bobs = [one for one in order if one in (seen[1], seen[3])]
    assert anns == [seen[0]] * 3 + [seen[2], seen[4]]
    assert bobs == [seen[1], seen[3]]


async def test_i4_what_is_given_up_lets_the_next_one_go(runtime: Runtime, grocers: Partner) -> None:
    webhook, ann = await hook(runtime, grocers.url), new_id()
    first: list[str] = []

    async def answers(told: dict[str, Any]) -> web.Response:
        first.append(told["id"])
        return web.Response(status=400 if told["id"] == first[0] else 200)

    grocers.answers = answers
    async with delivering(runtime):
        await happen(runtime, ann, ann)
        await until_sent(runtime, webhook, GIVEN_UP=1, DELIVERED=1)
    assert Counter(grocers.ids).most_common() == [(first[0], QUICK.attempts), (first[-1], 1)]
    async with runtime.database.reader() as session:
        given_up = (await queries.deliveries(session, webhook.id, "GIVEN_UP", size=9))[0]
    assert (given_up.attempts, given_up.response, given_up.error) == (3, 400, "it answered 400")


async def test_an_endpoint_that_hangs_holds_up_nobody_else(runtime: Runtime, grocers: Partner) -> None:
    let_go = asyncio.Event()

    async def hang(_: dict[str, Any]) -> web.Response:
        await let_go.wait()
        return web.Response()

    async with partner() as other:
        other.answers = hang
        slow, quick = await hook(runtime, other.url), await hook(runtime, grocers.url)
        async with delivering(runtime):
            await happen(runtime, *(new_id() for _ in range(20)))
            await until_sent(runtime, quick, DELIVERED=20)
            assert await statuses(runtime, slow) == {"PENDING": 20}
            let_go.set()
            await until_sent(runtime, slow, DELIVERED=20)
        assert len(other.messages) == 20


@pytest.mark.parametrize("how", ["gone", "failing"])
async def test_who_takes_nothing_is_disabled_with_notice_and_goes_on_when_enabled(
    runtime: Runtime, grocers: Partner, how: str
) -> None:
    webhook = await hook(runtime, grocers.url, "MEMBER_LINKED")
    status = 410 if how == "gone" else 503

    async def refuse(_: dict[str, Any]) -> web.Response:
        return web.Response(status=status)

    async def disabled() -> bool:
        async with runtime.database.reader() as session:
            found = await queries.webhook(session, webhook.id)
        return found is not None and found.status == "DISABLED"

    grocers.answers = refuse
    patience = QUICK if how == "gone" else Patience(first=0.01, longest=0.01, failing=timedelta())
    async with delivering(runtime, patience):
        await happen(runtime, new_id())
        await until(disabled)
        told = await rows(runtime.database, "SELECT data, seen_by FROM event WHERE kind = 'WEBHOOK_DISABLED'")
        assert [row["seen_by"] for row in told] == [[str(webhook.merchant_id)]]
        assert str(status) in told[0]["data"]["why"]
        grocers.answers = well
        async with runtime.database.transaction() as session:
            mine = await commands.locked(session, webhook.id, None, any_owner=True)
            await commands.enable(session, mine, True)
        await until_sent(runtime, webhook, DELIVERED=1)


async def test_i4_replayed_from_a_place_as_the_same_messages(runtime: Runtime, grocers: Partner) -> None:
    webhook = await hook(runtime, grocers.url)
    async with delivering(runtime):
        await happen(runtime, *(new_id() for _ in range(4)))
        await until_sent(runtime, webhook, DELIVERED=4)
        async with runtime.database.transaction() as session:
            mine = await commands.locked(session, webhook.id, None, any_owner=True)
            await commands.replay(session, mine, webhook.place + 2)

        async def again() -> bool:
            return len(grocers.messages) == 6

        await until(again)
        await until_sent(runtime, webhook, DELIVERED=4)
    assert sorted(grocers.ids[4:]) == sorted(grocers.ids[2:4])


async def test_i4_killed_between_delivery_and_record_it_is_sent_again_as_the_same_message(
    runtime: Runtime, grocers: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, taken = await hook(runtime, grocers.url), asyncio.Event()

    async def die(*_: Any) -> None:
        taken.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(commands, "record", die)
        async with delivering(runtime):
            await happen(runtime, new_id())
            async with asyncio.timeout(60):
                await taken.wait()
    assert await statuses(runtime, webhook) == {"PENDING": 1}
    async with delivering(runtime):
        await until_sent(runtime, webhook, DELIVERED=1)
    assert len(grocers.ids) == 2
    assert len(set(grocers.ids)) == 1


async def test_i4_a_partner_who_is_slow_or_lies_about_its_certificate_is_told_nothing_more(
    runtime: Runtime, tmp_path: Path
) -> None:
    """To a server that is not the one of the name nothing is sent; one that is, and is well, is told."""
    authority = Authority(tmp_path)

    async def local(_name: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    quick = replace(QUICK, attempts=2, answer=0.5)
    await happen(runtime)
    async with (
        endpoint(b"", authority.server(PARTNER)) as (slow, asked),
        endpoint(b"HTTP/1.1 204 No Content\r\n\r\n", authority.server("other.example")) as (lying, reached),
        delivering(runtime, quick, look_up=local, trusted=authority.trusted),
    ):
        hooks = [await hook(runtime, f"https://{PARTNER}:{port}/hook") for port in (slow, lying)]
        await happen(runtime, new_id())
        for webhook in hooks:
            await until_sent(runtime, webhook, GIVEN_UP=1)
    assert (len(asked), reached) == (quick.attempts, [])
    async with runtime.database.reader() as session:
        found = [(await queries.deliveries(session, webhook.id, "GIVEN_UP", size=9))[0] for webhook in hooks]
    assert [one.error for one in found] == ["no answer in time", "its certificate is not to be trusted"]


async def test_two_couriers_share_the_work_and_one_takes_over(runtime: Runtime, grocers: Partner) -> None:
    webhook = await hook(runtime, grocers.url)
    async with delivering(runtime):
        async with delivering(runtime):
            await happen(runtime, *(new_id() for _ in range(10)))
            await until_sent(runtime, webhook, DELIVERED=10)
        await happen(runtime, *(new_id() for _ in range(10)))
        await until_sent(runtime, webhook, DELIVERED=20)
    assert len(grocers.ids) == len(set(grocers.ids)) == 20


async def test_a14_a_webhook_is_sent_its_owners_side_of_the_kinds_it_names(runtime: Runtime, grocers: Partner) -> None:
    async with partner() as other:
        mine = await hook(runtime, grocers.url, "MEMBER_LINKED")
        theirs, none = await hook(runtime, other.url, of="fuel"), await hook(runtime, other.url, "POINTS_SPENT")
        async with delivering(runtime):
            await happen(runtime, new_id())
            await until_sent(runtime, mine, DELIVERED=1)
            async with runtime.database.transaction() as session:
                tested = await commands.locked(session, theirs.id, theirs.merchant_id, any_owner=False)
                await commands.test(session, tested)
            await until_sent(runtime, theirs, DELIVERED=1)
            assert not await statuses(runtime, none)
        assert [orjson.loads(body)["type"] for _, body in other.messages] == ["tessera.WEBHOOK_TESTED"]
