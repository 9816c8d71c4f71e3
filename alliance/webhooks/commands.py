"""Making and changing webhooks, and keeping what became of deliveries. All in the caller's transaction.

Changes are notified: whoever sends for a webhook takes it anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.feed import queries as feed
from alliance.feed.model import Happened
from alliance.webhooks.model import Attempt, DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus
from alliance.webhooks.rules import OVERLAP, require_url
from domain.base import new_id
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.events.commands import add_event
from domain.events.kinds import EventKind

CHANNEL = "tessera_webhooks"
MOST = 20
"""Webhooks of one owner."""
LONGEST_DESCRIPTION = 200

Owner = UUID | None
"""A merchant; None is the operator."""


async def create(
    session: AsyncSession, *, owner: Owner, url: str, kinds: Collection[str], description: str, private: bool
) -> Webhook:
    """A new webhook, which is sent what happens from now on. Raises InvalidInput, NotAllowed for one too many."""
    _require(url, kinds, description, private)
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('webhooks', 0))"))
    mine = select(func.count()).where(Webhook.merchant_id.is_not_distinct_from(owner))
    if (await session.scalar(mine) or 0) >= MOST:
        raise NotAllowed(reason=f"there are {MOST} webhooks already")
    place = await feed.end(session) - 1
    made = Webhook(merchant_id=owner, url=url, kinds=sorted(kinds), description=description, place=place)
    session.add(made)
    await session.flush()
    await session.refresh(made)
    await _tell(session)
    return made


async def change(
    session: AsyncSession,
    webhook: Webhook,
    *,
    private: bool,
    url: str | None = None,
    kinds: Collection[str] | None = None,
    description: str | None = None,
) -> None:
    """Change what is named. What is pending goes to the new address. Raises InvalidInput."""
    webhook.url = webhook.url if url is None else url
    webhook.kinds = webhook.kinds if kinds is None else sorted(kinds)
    webhook.description = webhook.description if description is None else description
    _require(webhook.url, webhook.kinds, webhook.description, private)
    await _changed(session, webhook)


async def rotate(session: AsyncSession, webhook: Webhook, as_of: datetime) -> None:
    """A new secret; the one before signs for a day more."""
    webhook.generation += 1
    webhook.previous_until = as_of + OVERLAP
    await _changed(session, webhook)


async def enable(session: AsyncSession, webhook: Webhook, enabled: bool) -> None:
    """Send again, from where it stopped, what is pending at once; or stop sending."""
    webhook.status = WebhookStatus.ENABLED if enabled else WebhookStatus.DISABLED
    webhook.why = None if enabled else "by its owner"
    webhook.failing_since = None
    pending = (WebhookDelivery.webhook_id == webhook.id) & (WebhookDelivery.status == DeliveryStatus.PENDING)
    if enabled:
        await session.execute(update(WebhookDelivery).where(pending).values(due_at=func.now()))
    await _changed(session, webhook)


async def remove(session: AsyncSession, webhook: Webhook) -> None:
    """Delete it, with what was being sent."""
    await session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id))
    await session.delete(webhook)
    await _tell(session)


async def test(session: AsyncSession, webhook: Webhook) -> None:
    """Send a message that says nothing, at once. Raises NotAllowed while it is disabled."""
    if webhook.status != WebhookStatus.ENABLED:
        raise NotAllowed(reason="it is disabled: enable it first", path=("webhook",))
    of_it = WebhookDelivery.webhook_id == webhook.id
    first = await session.scalar(select(func.least(func.min(WebhookDelivery.position), 0)).where(of_it)) or 0
    row = {"webhook_id": webhook.id, "position": first - 1, "event_id": new_id()}
    await session.execute(insert(WebhookDelivery).values(**row, kind=TESTED, about=[]))
    await _changed(session, webhook)


TESTED = "WEBHOOK_TESTED"
"""The kind of a message that says nothing; it is no event."""


async def replay(session: AsyncSession, webhook: Webhook, place: int) -> None:
    """Send again all after a place (-1: from the beginning), as the same messages. Raises InvalidInput."""
    if place >= await feed.end(session):
        raise InvalidInput(reason="that has not happened yet", path=("after",))
    webhook.place = place
    later = (WebhookDelivery.webhook_id == webhook.id) & (WebhookDelivery.position > place)
    await session.execute(delete(WebhookDelivery).where(later))
    await _changed(session, webhook)


async def locked(session: AsyncSession, webhook_id: UUID, owner: Owner, *, any_owner: bool) -> Webhook:
    """A webhook of this owner (`any_owner`: of anybody), to be changed. Raises NotFound."""
    found = await session.get(Webhook, webhook_id, with_for_update=True)
    if found is None or not (any_owner or found.merchant_id == owner):
        raise NotFound(what="webhook", path=("webhook",))
    return found


async def plan(session: AsyncSession, webhook_id: UUID, revision: int, found: Sequence[Happened], place: int) -> bool:
    """Add deliveries of what was found up to a place; False, and nothing, where the webhook was changed meanwhile."""
    moved = update(Webhook).where(Webhook.id == webhook_id, Webhook.revision == revision).values(place=place)
    if (await session.execute(moved.returning(Webhook.id))).first() is None:
        return False
    rows = [
        {
            "webhook_id": webhook_id,
            "position": one.position,
            "event_id": one.id,
            "kind": str(one.kind),
            "about": [str(holder) for holder in one.about],
        }
        for one in found
    ]
    if rows:
        await session.execute(insert(WebhookDelivery), rows)
    return True


_RECORD = text("""
    UPDATE webhook_delivery SET status = :status, attempts = :attempts, due_at = :due_at, response = :response,
           error = :error, done_at = CASE WHEN :status = 'PENDING' THEN NULL ELSE clock_timestamp() END
    WHERE webhook_id = :webhook AND position = :position AND status = 'PENDING'""")


async def record(
    session: AsyncSession, webhook_id: UUID, attempts: Sequence[Attempt], failing_since: datetime | None
) -> None:
    """Keep what attempts came to, and since when nothing was taken."""
    await session.execute(_RECORD, [{"webhook": webhook_id, **asdict(one)} for one in attempts])
    differs = Webhook.failing_since.is_distinct_from(failing_since)
    kept = update(Webhook).where(Webhook.id == webhook_id, differs).values(failing_since=failing_since)
    await session.execute(kept)


async def disable(session: AsyncSession, webhook_id: UUID, revision: int, why: str) -> bool:
    """Stop sending, and tell the owner by an event; False where the webhook was changed meanwhile."""
    values: dict[str, Any] = {"status": WebhookStatus.DISABLED, "why": why, "revision": revision + 1}
    stopped = update(Webhook).where(
        Webhook.id == webhook_id, Webhook.revision == revision, Webhook.status == WebhookStatus.ENABLED
    )
    row = (await session.execute(stopped.values(values).returning(Webhook.merchant_id))).first()
    if row is None:
        return False
    owners = () if row.merchant_id is None else (row.merchant_id,)
    told = {"webhook": str(webhook_id), "why": why}
    await add_event(session, webhook_id, EventKind.WEBHOOK_DISABLED, told, *owners)
    await _tell(session)
    return True


async def forget(session: AsyncSession, before: datetime, limit: int) -> int:
    """Delete up to `limit` deliveries that were done before; how many."""
    old = select(WebhookDelivery.webhook_id, WebhookDelivery.position).where(WebhookDelivery.done_at < before)
    some = old.limit(limit).cte("old")
    gone = delete(WebhookDelivery).where(
        WebhookDelivery.webhook_id == some.c.webhook_id, WebhookDelivery.position == some.c.position
    )
    return len((await session.execute(gone.returning(WebhookDelivery.position))).all())


def _require(url: str, kinds: Collection[str], description: str, private: bool) -> None:
    require_url(url, private=private)
    for place, kind in enumerate(kinds):
        if kind not in EventKind.__members__:
            raise InvalidInput(reason="there is no such kind of event", path=("kinds", str(place)))
    if len(description) > LONGEST_DESCRIPTION:
        reason = f"a description has at most {LONGEST_DESCRIPTION} characters"
        raise InvalidInput(reason=reason, path=("description",))


async def _changed(session: AsyncSession, webhook: Webhook) -> None:
    webhook.revision += 1
    await session.flush()
    await _tell(session)


async def _tell(session: AsyncSession) -> None:
    await session.execute(select(func.pg_notify(CHANNEL, "")))
