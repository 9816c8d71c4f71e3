"""Reading webhooks and what became of their deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.webhooks.model import DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus


async def webhooks(
    session: AsyncSession, owner: UUID | None, *, any_owner: bool, size: int, after: UUID | None = None
) -> Sequence[Webhook]:
    """The webhooks of an owner (`any_owner`: of everybody), oldest first."""
    query = select(Webhook).order_by(Webhook.id).limit(size)
    if not any_owner:
        query = query.where(Webhook.merchant_id.is_not_distinct_from(owner))
    return (await session.scalars(query if after is None else query.where(Webhook.id > after))).all()


async def count(session: AsyncSession, owner: UUID | None, *, any_owner: bool) -> int:
    """How many `webhooks` there are in all."""
    query = select(func.count()).select_from(Webhook)
    if not any_owner:
        query = query.where(Webhook.merchant_id.is_not_distinct_from(owner))
    return await session.scalar(query) or 0


async def webhook(session: AsyncSession, webhook_id: UUID) -> Webhook | None:
    """One, whosever it is."""
    return await session.get(Webhook, webhook_id)


async def enabled(session: AsyncSession) -> dict[UUID, int]:
    """The webhooks that are sent to, with their revisions."""
    rows = await session.execute(select(Webhook.id, Webhook.revision).where(Webhook.status == WebhookStatus.ENABLED))
    return {row.id: row.revision for row in rows}


async def pending(session: AsyncSession, webhook_id: UUID) -> Sequence[WebhookDelivery]:
    """What is yet to be sent, in order."""
    of_it = (WebhookDelivery.webhook_id == webhook_id) & (WebhookDelivery.status == DeliveryStatus.PENDING)
    return (await session.scalars(select(WebhookDelivery).where(of_it).order_by(WebhookDelivery.position))).all()


async def deliveries(
    session: AsyncSession, webhook_id: UUID, status: str | None, *, size: int, before: int | None = None
) -> Sequence[WebhookDelivery]:
    """The latest deliveries, of one status or all, those of the latest events first."""
    query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if status is not None:
        query = query.where(WebhookDelivery.status == status)
    if before is not None:
        query = query.where(WebhookDelivery.position < before)
    return (await session.scalars(query.order_by(WebhookDelivery.position.desc()).limit(size))).all()


async def count_deliveries(session: AsyncSession, webhook_id: UUID, status: str | None) -> int:
    """How many `deliveries` there are in all."""
    query = select(func.count()).where(WebhookDelivery.webhook_id == webhook_id)
    return await session.scalar(query if status is None else query.where(WebhookDelivery.status == status)) or 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How sending stands: webhooks by status, deliveries that wait, and for how many seconds the oldest has."""

    enabled: int
    disabled: int
    pending: int
    oldest: float


_STANDING = text("""
    SELECT (SELECT count(*) FROM webhook WHERE status = 'ENABLED'),
           (SELECT count(*) FROM webhook WHERE status = 'DISABLED'),
           count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
    FROM webhook_delivery WHERE status = 'PENDING'
""")


async def standing(session: AsyncSession) -> Standing:
    """For whoever watches."""
    return Standing(*(await session.execute(_STANDING)).one())
