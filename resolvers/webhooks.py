"""Webhooks of the viewer's, and what becomes of their deliveries. The operator may see and change all."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.webhooks import commands, queries
from alliance.webhooks.model import Webhook, WebhookDelivery
from alliance.webhooks.rules import master_of, secret_of
from domain.errors import InvalidInput, NotFound
from resolvers import ids
from resolvers.context import Context
from resolvers.events import place
from resolvers.once import once
from resolvers.pages import Page, Window, decode_cursor, page
from resolvers.sent import Sent, key_of

SHAPE = (UUID,)
DELIVERY_SHAPE = (int,)

Change = Callable[[AsyncSession, Webhook], Awaitable[object]]


def _is_operator(context: Context) -> bool:
    return context.signed_in.kind == "operator"


async def listed(context: Context, asked: Window) -> Page[Webhook]:
    """A page of webhooks, oldest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="webhooks are listed forwards: give first and after", path=("last",))
    owner, everybodys = context.own_merchant_id, _is_operator(context)
    after = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.webhooks(session, owner, any_owner=everybodys, size=asked.size + 1, after=after)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count(session, owner, any_owner=everybodys)

    return page(asked, list(found), lambda one: (str(one.id),), total)


async def load(context: Context, webhook_id: UUID) -> Webhook | None:
    """A webhook in reach, or None."""
    async with context.runtime.database.reader() as session:
        found = await queries.webhook(session, webhook_id)
    if found is None or _is_operator(context):
        return found
    return found if found.merchant_id is not None and found.merchant_id == context.own_merchant_id else None


async def deliveries(context: Context, webhook_id: UUID, asked: Window, status: str | None) -> Page[WebhookDelivery]:
    """A page of its deliveries, the latest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="deliveries are listed forwards: give first and after", path=("last",))
    before = None if asked.after is None else asked.after[0]
    async with context.runtime.database.reader() as session:
        found = await queries.deliveries(session, webhook_id, status, size=asked.size + 1, before=before)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count_deliveries(session, webhook_id, status)

    return page(asked, list(found), lambda one: (str(one.position),), total)


def secret(context: Context, webhook_id: UUID, generation: int) -> str:
    """The secret of that number, for who was just given it."""
    return secret_of(master_of(context.house.fingerprint_secret), webhook_id, generation)


async def create(context: Context, sent: Sent) -> tuple[Webhook | None, str]:
    """A new webhook and its secret. Raises a Refusal."""

    async def act(session: AsyncSession) -> dict[str, Any]:
        made = await commands.create(
            session,
            owner=context.own_merchant_id,
            url=sent["url"],
            kinds=sent.get("kinds") or (),
            description=sent.get("description") or "",
            private=context.house.webhook_private,
        )
        return {"webhook": str(made.id)}

    webhook_id = UUID((await once(context, key_of(context, "createWebhook", sent), act))["webhook"])
    return await load(context, webhook_id), secret(context, webhook_id, 1)


async def rotate(context: Context, sent: Sent) -> tuple[Webhook | None, str]:
    """The webhook and its new secret. Raises a Refusal."""

    async def change(session: AsyncSession, webhook: Webhook) -> dict[str, Any]:
        await commands.rotate(session, webhook, context.as_of)
        return {"generation": webhook.generation}

    webhook_id, outcome = await _change(context, "rotateWebhookSecret", sent, change)
    return await load(context, webhook_id), secret(context, webhook_id, outcome["generation"])


async def update(context: Context, sent: Sent) -> Webhook | None:
    """Change what was sent. Raises a Refusal."""
    named = {name: sent[name] for name in ("url", "kinds", "description") if sent.get(name) is not None}
    private = context.house.webhook_private

    async def change(session: AsyncSession, webhook: Webhook) -> None:
        await commands.change(session, webhook, private=private, **named)

    return await load(context, (await _change(context, "updateWebhook", sent, change))[0])


async def enable(context: Context, sent: Sent) -> Webhook | None:
    """Send again, or stop sending. Raises a Refusal."""

    async def change(session: AsyncSession, webhook: Webhook) -> None:
        await commands.enable(session, webhook, sent.get("enabled", True) is not False)

    return await load(context, (await _change(context, "enableWebhook", sent, change))[0])


async def remove(context: Context, sent: Sent) -> str:
    """Delete it; the id that it had. Raises a Refusal."""
    return ids.encode("Webhook", (await _change(context, "deleteWebhook", sent, commands.remove))[0])


async def test(context: Context, sent: Sent) -> Webhook | None:
    """Send a message that says nothing. Raises a Refusal."""
    return await load(context, (await _change(context, "testWebhook", sent, commands.test))[0])


async def replay(context: Context, sent: Sent) -> Webhook | None:
    """Send again all after a cursor. Raises a Refusal."""
    after = -1 if sent.get("after") is None else decode_cursor(sent["after"], "after", (place,))[0]

    async def change(session: AsyncSession, webhook: Webhook) -> None:
        await commands.replay(session, webhook, after)

    return await load(context, (await _change(context, "replayWebhook", sent, change))[0])


async def _change(context: Context, name: str, sent: Sent, change: Change) -> tuple[UUID, dict[str, Any]]:
    key = key_of(context, name, sent)
    try:
        (webhook_id,) = ids.decode_as("Webhook", sent["webhook"], 1)
    except NotFound as refusal:
        raise refusal.at("webhook") from None

    async def act(session: AsyncSession) -> dict[str, Any]:
        webhook = await commands.locked(session, webhook_id, context.own_merchant_id, any_owner=_is_operator(context))
        outcome = await change(session, webhook)
        return outcome if isinstance(outcome, dict) else {}

    return webhook_id, await once(context, key, act)
