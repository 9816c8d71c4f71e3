"""Sending what happened to one webhook: in order of each member, several at a time, again until it is taken."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import orjson
import structlog

from alliance.feed.model import Happened
from alliance.runtime import Runtime
from alliance.webhooks import commands, queries
from alliance.webhooks.model import Attempt, DeliveryStatus, Webhook, WebhookDelivery
from alliance.webhooks.rules import Patience, ready, secrets_at, signed
from domain.programs.catalogue import Catalogue
from workers import telemetry
from workers.outgoing import Answer, Outgoing

log = structlog.get_logger("courier")

#: Deliveries of a webhook that are held in memory; where more wait, the rest stays in the sequence.
WINDOW = 1000

#: Deliveries on their way to one endpoint. To one that fails, one.
AT_ONCE = 8

#: Places that a webhook may be ahead of what it kept, where nothing was for it.
UNKEPT = 5000

GONE = 410
MEDIA_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class How:
    """With what a courier sends: `write` says an event to a merchant (None: the operator), `master` makes secrets,
    `slots` bounds what a process has on its way."""

    outgoing: Outgoing
    write: Callable[[Catalogue, Happened, UUID | None], dict[str, Any]]
    master: bytes
    patience: Patience = field(default_factory=Patience)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(256))


class Following(Protocol):
    """Where what happened is read."""

    end: int

    async def page(self, place: int) -> tuple[list[Happened], int]:
        """What happened after a place, and up to where."""
        ...

    async def at(self, positions: Iterable[int]) -> list[Happened]:
        """What happened at these places."""
        ...


@dataclass(slots=True)
class _Waiting:
    """A delivery that is yet to be taken."""

    happened: Happened
    attempts: int
    due_at: datetime

    @property
    def about(self) -> list[str]:
        return [str(holder) for holder in self.happened.about]


async def serve(runtime: Runtime, how: How, feed: Following, webhook_id: UUID, news: asyncio.Event) -> None:
    """Send to one webhook until it is changed, disabled or cancelled; `news` is set whenever the sequence grew."""
    async with runtime.database.reader() as session:
        webhook = await queries.webhook(session, webhook_id)
        kept = [] if webhook is None else await queries.pending(session, webhook_id)
    if webhook is None:
        return
    sender = _Sender(runtime, how, feed, webhook)
    await sender.take_up(kept)
    try:
        while await sender.step(news):
            pass
    finally:
        await sender.stop()


class _Sender:
    """What one webhook is sent, as it stands."""

    def __init__(self, runtime: Runtime, how: How, feed: Following, webhook: Webhook) -> None:
        self._runtime, self._how, self._feed, self._webhook = runtime, how, feed, webhook
        self._place = self._kept = webhook.place
        self._failing_since = webhook.failing_since
        self._waiting: dict[int, _Waiting] = {}
        self._flying: dict[asyncio.Task[Attempt], int] = {}

    async def take_up(self, rows: Sequence[WebhookDelivery]) -> None:
        """Go on with what was pending; what is in an archive by now is given up."""
        found = {one.position: one for one in await self._feed.at([row.position for row in rows if row.position >= 0])}
        lost = []
        for row in rows:
            happened = _test(row) if row.position < 0 else found.get(row.position)
            if happened is not None:
                self._waiting[row.position] = _Waiting(happened, row.attempts, row.due_at)
            else:
                lost.append(
                    Attempt(row.position, DeliveryStatus.GIVEN_UP, row.attempts, row.due_at, None, "it is archived")
                )
        if lost:
            await self._record(lost)

    async def step(self, news: asyncio.Event) -> bool:
        """Plan, send and record what there is now, and wait for more; False when another must take over."""
        news.clear()
        while len(self._waiting) <= WINDOW // 2 and self._place < self._feed.end - 1:
            if not await self._plan():
                return False
        now = datetime.now(UTC)
        self._send(now)
        finished = await self._wait(now, news)
        attempts = [task.result() for task in finished]
        for task in finished:
            del self._flying[task]
        return not attempts or await self._record(attempts)

    async def stop(self) -> None:
        """Recall what is on its way: it is sent again."""
        for task in self._flying:
            task.cancel()
        for task in self._flying:
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _plan(self) -> bool:
        """Make deliveries of what came next; False where the webhook was changed."""
        webhook = self._webhook
        page, upto = await self._feed.page(self._place)
        mine = [one for one in page if one.is_for(webhook.merchant_id) and _wanted(one, webhook.kinds)]
        if mine or upto - self._kept >= UNKEPT:
            async with self._runtime.database.transaction() as session:
                if not await commands.plan(session, webhook.id, webhook.revision, mine, upto):
                    return False
            self._kept = upto
        self._place = upto
        now = datetime.now(UTC)
        self._waiting.update({one.position: _Waiting(one, 0, now) for one in mine})
        return True

    def _send(self, now: datetime) -> None:
        flying = self._flying.values()
        waiting = {position: one.about for position, one in self._waiting.items()}
        due = {position for position, one in self._waiting.items() if one.due_at <= now}
        room = (1 if self._failing_since is not None else AT_ONCE) - len(flying)
        for position in ready(waiting, set(flying), due)[: max(room, 0)]:
            self._flying[asyncio.create_task(self._try(position))] = position

    async def _wait(self, now: datetime, news: asyncio.Event) -> set[asyncio.Task[Attempt]]:
        """Until something came back, something is due, or there is news."""
        heard = asyncio.create_task(news.wait())
        later = [one.due_at for position, one in self._waiting.items() if one.due_at > now]
        seconds = None if not later else max(0.0, (min(later) - now).total_seconds())
        try:
            done, _ = await asyncio.wait({heard, *self._flying}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heard.cancel()
        return {task for task in self._flying if task in done}

    async def _try(self, position: int) -> Attempt:
        one, webhook, how = self._waiting[position], self._webhook, self._how
        async with how.slots:
            began, now = time.perf_counter(), datetime.now(UTC)
            message = how.write(self._runtime.catalogue, one.happened, webhook.merchant_id)
            body = orjson.dumps(message)
            secrets = secrets_at(how.master, webhook.id, webhook.generation, webhook.previous_until, now)
            headers = {"content-type": MEDIA_TYPE, "user-agent": "tessera", **signed(message["id"], now, body, secrets)}
            answer = await how.outgoing.post(webhook.url, body, headers)
        attempt = self._judged(position, one.attempts + 1, answer, datetime.now(UTC))
        telemetry.delivered(attempt.status, time.perf_counter() - began)
        if attempt.status is not DeliveryStatus.DELIVERED:
            told = {"webhook": str(webhook.id), "number": position, "attempt": attempt.attempts}
            log.info("not delivered", **told, status=answer.status, reason=attempt.error)
        return attempt

    def _judged(self, position: int, attempts: int, answer: Answer, now: datetime) -> Attempt:
        if answer.status is not None and 200 <= answer.status < 300:
            return Attempt(position, DeliveryStatus.DELIVERED, attempts, now, answer.status, None)
        error = answer.error or f"it answered {answer.status}"
        patience = self._how.patience
        if attempts >= patience.attempts:
            return Attempt(position, DeliveryStatus.GIVEN_UP, attempts, now, answer.status, error)
        again = now + timedelta(seconds=patience.wait(attempts, random.random()))  # noqa: S311 - no secret
        return Attempt(position, DeliveryStatus.PENDING, attempts, again, answer.status, error)

    async def _record(self, attempts: Sequence[Attempt]) -> bool:
        """Keep what came back; False where it was the end of the webhook."""
        now = datetime.now(UTC)
        if any(one.status is DeliveryStatus.DELIVERED for one in attempts):
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now
        why = self._why_disabled(attempts, now)
        webhook = self._webhook
        async with self._runtime.database.transaction() as session:
            await commands.record(session, webhook.id, attempts, self._failing_since)
            disabled = why is not None and await commands.disable(session, webhook.id, webhook.revision, why)
        if disabled:
            telemetry.disabled()
            log.warning("webhook disabled", webhook=str(webhook.id), reason=why)
        for one in attempts:
            if one.status is DeliveryStatus.PENDING:
                waiting = self._waiting[one.position]
                waiting.attempts, waiting.due_at = one.attempts, one.due_at
            else:
                self._waiting.pop(one.position, None)
        return why is None

    def _why_disabled(self, attempts: Sequence[Attempt], now: datetime) -> str | None:
        if any(one.response == GONE for one in attempts):
            return f"it answered {GONE}: gone"
        since = self._failing_since
        if since is not None and now - since >= self._how.patience.failing:
            return f"it took nothing since {since.isoformat(timespec='seconds')}: {attempts[-1].error}"
        return None


def _wanted(one: Happened, kinds: Sequence[str]) -> bool:
    return not kinds or one.kind in kinds


def _test(row: WebhookDelivery) -> Happened:
    """A message that says nothing."""
    return Happened(row.position, row.event_id, row.kind, (), row.created_at, frozenset(), {})
