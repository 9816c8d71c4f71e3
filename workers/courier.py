"""The courier: takes what happened to webhooks. Each worker process has one; each webhook is one courier's at a time.

Which one's, an advisory lock of the courier's own connection says: it goes with whoever dies. What is to be sent is a
row before it is sent, and what came of it is written after: whoever dies between sends again, as the same message.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog

from alliance.feed import numbering
from alliance.feed import queries as feed
from alliance.feed.model import Happened
from alliance.runtime import Runtime
from alliance.webhooks import commands, queries
from alliance.webhooks.rules import Patience, master_of
from domain.base import lock_key
from domain.programs.catalogue import Catalogue
from workers.outgoing import Outgoing
from workers.process import OUTAGES, PAUSE, Settings, pause
from workers.sending import How, serve

log = structlog.get_logger("courier")

#: Seconds between looks while nobody calls.
POLL = 5.0

Write = Callable[[Catalogue, Happened, UUID | None], dict[str, Any]]
"""An event as a merchant (None: the operator) is told of it, with its `id`."""


async def deliver(runtime: Runtime, settings: Settings, write: Write, stop: asyncio.Event) -> None:
    """Deliver as the settings say until told to stop."""
    patience = Patience()
    outgoing = Outgoing(private=settings.webhook_private, seconds=patience.answer)
    try:
        await keep_delivering(runtime, How(outgoing, write, master_of(settings.secret("fingerprint")), patience), stop)
    finally:
        await outgoing.close()


async def keep_delivering(runtime: Runtime, how: How, stop: asyncio.Event) -> None:
    """Deliver until told to stop; go on after outages."""
    log.info("courier started")
    while not stop.is_set():
        try:
            await _deliver(runtime, how, stop)
        except OUTAGES as outage:
            log.warning("courier interrupted", reason=f"{type(outage).__name__}: {outage}".partition("\n")[0])
            await pause(PAUSE, stop)
    log.info("courier stopped")


class Follower:
    """The end of the sequence as all webhooks of a process follow it: what several read is read once."""

    KEPT = 16

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pages: dict[tuple[int, int], asyncio.Task[list[Happened]]] = {}
        self.end = 0

    async def page(self, place: int) -> tuple[list[Happened], int]:
        """What happened after a place, as far as is read at once, and up to where."""
        last = min(self.end - 1, place + feed.AT_ONCE)
        if (page := self._pages.get((place, last))) is None:
            page = self._pages[place, last] = asyncio.create_task(self.at(range(place + 1, last + 1)))
            for old in list(self._pages)[: -self.KEPT]:
                del self._pages[old]
        try:
            return await asyncio.shield(page), last
        except OUTAGES:
            self._pages.pop((place, last), None)
            raise

    async def at(self, positions: Any) -> list[Happened]:
        """What happened at these places."""
        async with self._runtime.database.reader() as session:
            return await feed.at(session, self._runtime.catalogue, positions)

    async def look(self) -> bool:
        """See how far it is; whether it grew."""
        async with self._runtime.database.reader() as session:
            before, self.end = self.end, await feed.end(session)
        return self.end > before


_TRY = "SELECT pg_try_advisory_lock($1)"


async def _deliver(runtime: Runtime, how: How, stop: asyncio.Event) -> None:
    """Until told to stop, or the connection is lost."""
    connection = await runtime.database.connect()
    called, lost = asyncio.Event(), asyncio.Event()
    follower = Follower(runtime)
    rounds: dict[UUID, tuple[int, asyncio.Event, asyncio.Task[None]]] = {}
    mine: set[UUID] = set()

    async def end(webhook_id: UUID) -> None:
        _, _, task = rounds.pop(webhook_id)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    try:
        for event in (lost, called):
            connection.add_termination_listener(lambda _, event=event: event.set())
        for channel in (numbering.CHANNEL, commands.CHANNEL):
            await connection.add_listener(channel, lambda *_: called.set())
        while not (stop.is_set() or lost.is_set()):
            called.clear()
            grew = await follower.look()
            async with runtime.database.reader() as session:
                wanted = await queries.enabled(session)
            for webhook_id, (revision, _, task) in list(rounds.items()):
                if wanted.get(webhook_id) != revision or task.done():
                    await end(webhook_id)
            for webhook_id in mine - wanted.keys():
                mine.discard(webhook_id)
                await connection.execute("SELECT pg_advisory_unlock($1)", lock_key(webhook_id))
            for webhook_id in wanted.keys() - rounds.keys():
                if webhook_id in mine or await connection.fetchval(_TRY, lock_key(webhook_id)):
                    mine.add(webhook_id)
                    news = asyncio.Event()
                    task = asyncio.create_task(_serve(runtime, how, follower, webhook_id, news))
                    rounds[webhook_id] = wanted[webhook_id], news, task
            if grew:
                for _, news, _ in rounds.values():
                    news.set()
            await pause(POLL, called, stop)
    finally:
        for webhook_id in list(rounds):
            await end(webhook_id)
        connection.terminate()


async def _serve(runtime: Runtime, how: How, follower: Follower, webhook_id: UUID, news: asyncio.Event) -> None:
    """Serve one webhook; what goes wrong with it is no other's concern, and it is taken up again."""
    try:
        await serve(runtime, how, follower, webhook_id, news)
    except Exception as fault:
        log.error("a webhook is not served", webhook=str(webhook_id), reason=type(fault).__name__, exc_info=fault)
        await asyncio.sleep(PAUSE)
