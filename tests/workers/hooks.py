"""A partner's endpoint, couriers that deliver to it, and what happens that it is told of."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from alliance.proofs.commands import SEALER, prepare, seal
from alliance.proofs.notes import PrivateKey
from alliance.runtime import Runtime
from alliance.webhooks import commands, queries
from alliance.webhooks.model import Webhook
from alliance.webhooks.rules import Patience
from domain.events.commands import add_event
from server.events import cloud_event
from tests.log_support import others_have_ended
from workers.courier import keep_delivering
from workers.outgoing import Outgoing
from workers.sending import How

KEYS = [PrivateKey.new("log.test")]
MASTER = b"m" * 32
QUICK = Patience(first=0.01, longest=0.02, attempts=3, answer=20.0)

Answers = Callable[[dict[str, Any]], Awaitable[web.Response]]


class Partner:
    """An endpoint: what it was sent, and what it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.answers: Answers = well

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, as they came."""
        return [headers["webhook-id"] for headers, _ in self.messages]

    async def take(self, request: web.Request) -> web.Response:
        """One message."""
        body = await request.read()
        self.messages.append(({name.lower(): value for name, value in request.headers.items()}, body))
        return await self.answers(orjson.loads(body))


async def well(_: dict[str, Any]) -> web.Response:
    """It is taken."""
    return web.Response(status=204)


@asynccontextmanager
async def partner() -> AsyncIterator[Partner]:
    """A partner's endpoint on this machine."""
    made = Partner()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@asynccontextmanager
async def delivering(runtime: Runtime, patience: Patience = QUICK, **calling: Any) -> AsyncIterator[None]:
    """A courier, for as long as the block lasts; `calling` is how it calls."""
    stop, outgoing = asyncio.Event(), Outgoing(private=True, seconds=patience.answer, **calling)
    task = asyncio.create_task(keep_delivering(runtime, How(outgoing, cloud_event, MASTER, patience), stop))
    try:
        yield
    finally:
        stop.set()
        await task
        await outgoing.close()


async def hook(runtime: Runtime, url: str, *kinds: str, of: str = "grocer") -> Webhook:
    """A webhook of a merchant's."""
    owner = runtime.catalogue.merchants[of].id
    async with runtime.database.transaction() as session:
        return await commands.create(session, owner=owner, url=url, kinds=kinds, description="", private=True)


async def happen(runtime: Runtime, *members: uuid.UUID) -> None:
    """An event of each of these, numbered in this order."""
    grocer = runtime.catalogue.merchants["grocer"].id
    for member in members:
        async with runtime.database.transaction() as session:
            await add_event(session, member, "MEMBER_LINKED", {"type": "CARD", "merchant": str(grocer)}, grocer)
    connection = await runtime.database.connect(**SEALER)
    await prepare(connection, KEYS)
    await others_have_ended(connection)
    await seal(connection, KEYS)
    await connection.close()


async def until(fits: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(60):
        while not await fits():  # noqa: ASYNC110 (what is waited for is in the database)
            await asyncio.sleep(0.01)


async def statuses(runtime: Runtime, webhook: Webhook) -> Counter[str]:
    """How many deliveries have which status."""
    async with runtime.database.reader() as session:
        return Counter(one.status for one in await queries.deliveries(session, webhook.id, None, size=1000))


async def until_sent(runtime: Runtime, webhook: Webhook, **counts: int) -> None:
    """Wait until so many deliveries have these statuses, and none another."""

    async def fits() -> bool:
        return await statuses(runtime, webhook) == Counter(counts)

    await until(fits)
