"""Webhooks: where a merchant or the operator is sent what happens, and what became of sending it."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from alliance.webhooks import model
from alliance.webhooks.model import DeliveryStatus, WebhookStatus
from domain.events.kinds import EventKind
from resolvers import ids, webhooks
from resolvers.pages import encode_cursor, window
from schema.answering import Shared, answer
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.node import Connection, Info, Node
from schema.refusals import UserError

strawberry.enum(WebhookStatus, description="To a DISABLED one nothing is sent; it goes on from there when enabled.")
strawberry.enum(DeliveryStatus, description="PENDING is yet to be tried, or tried again; GIVEN_UP ran out of attempts.")


@strawberry.type(description="What became of sending an event.")
class WebhookDelivery:
    """Kept for 30 days after it was done."""

    number: str = strawberry.field(description="The event's, in digits; below zero it was a test.")
    event: strawberry.ID = strawberry.field(description="The event's id, which is the message's too.")
    kind: str
    status: DeliveryStatus
    attempts: int
    due_at: datetime = strawberry.field(description="When it was or is (next) to be tried.")
    done_at: datetime | None
    response: int | None = strawberry.field(description="The status of the last answer.")
    error: str | None = strawberry.field(description="Why the last attempt failed.")

    @classmethod
    def of(cls, row: model.WebhookDelivery) -> Self:
        """From the database."""
        return cls(
            number=str(row.position),
            event=strawberry.ID(ids.encode("Event", row.event_id)),
            kind=row.kind,
            status=DeliveryStatus(row.status),
            attempts=row.attempts,
            due_at=row.due_at,
            done_at=row.done_at,
            response=row.response,
            error=row.error,
        )


@strawberry.type(description="Where a merchant, or the operator, is sent what happens on its side of the alliance.")
class Webhook(Node):
    """Its secret is shown once, when it is made."""

    url: str
    kinds: list[EventKind] = strawberry.field(description="What is sent; none: all.")
    description: str
    status: WebhookStatus
    why: str | None = strawberry.field(description="Why it is disabled.")
    failing_since: datetime | None = strawberry.field(description="The first failure after which nothing was taken.")
    cursor: str | None = strawberry.field(description="Up to there all that is to be sent has a delivery.")
    created_at: datetime
    row: strawberry.Private[model.Webhook]

    @strawberry.field(description="Whose it is; null: the operator's.")
    def merchant(self, info: Info) -> Merchant | None:
        """From the catalogue."""
        owner = self.row.merchant_id
        found = None if owner is None else info.context.runtime.catalogue.merchants_by_id.get(owner)
        return None if found is None else Merchant.of(found)

    @strawberry.field(description="What became of what was sent, those of the latest events first.")
    async def deliveries(
        self,
        info: Info,
        status: DeliveryStatus | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[WebhookDelivery]:
        """Two statements at most."""
        asked = window(webhooks.DELIVERY_SHAPE, first, after, last, before)
        found = await webhooks.deliveries(info.context, self.row.id, asked, status)
        return Connection[WebhookDelivery].of(found, WebhookDelivery.of)

    @classmethod
    def of(cls, row: model.Webhook) -> Self:
        """From the database."""
        return cls(
            id=strawberry.ID(ids.encode("Webhook", row.id)),
            url=row.url,
            kinds=[EventKind(kind) for kind in row.kinds],
            description=row.description,
            status=WebhookStatus(row.status),
            why=row.why,
            failing_since=row.failing_since,
            cursor=encode_cursor((str(row.place),)) if row.place >= 0 else None,
            created_at=row.created_at,
            row=row,
        )

    @classmethod
    def maybe(cls, row: model.Webhook | None) -> "Webhook | None":
        """Nothing from nothing."""
        return None if row is None else cls.of(row)


@passed_as_sent
@strawberry.input
class CreateWebhookInput:
    """Of the viewer's own."""

    idempotency_key: str = strawberry.field(description=KEY)
    url: str = strawberry.field(description="https://, on port 443 or 8443 of the public network.")
    kinds: list[EventKind] | None = strawberry.field(default=strawberry.UNSET, description="Default all.")
    description: str | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class UpdateWebhookInput:
    """What is left out stays."""

    idempotency_key: str = strawberry.field(description=KEY)
    webhook: strawberry.ID
    url: str | None = strawberry.UNSET
    kinds: list[EventKind] | None = strawberry.UNSET
    description: str | None = strawberry.UNSET


@passed_as_sent
@strawberry.input
class WebhookInput:
    """One of the viewer's."""

    idempotency_key: str = strawberry.field(description=KEY)
    webhook: strawberry.ID


@passed_as_sent
@strawberry.input
class EnableWebhookInput:
    """To send again, or to stop."""

    idempotency_key: str = strawberry.field(description=KEY)
    webhook: strawberry.ID
    enabled: bool = True


@passed_as_sent
@strawberry.input
class ReplayWebhookInput:
    """From where to send again."""

    idempotency_key: str = strawberry.field(description=KEY)
    webhook: strawberry.ID
    after: str | None = strawberry.field(
        default=strawberry.UNSET, description="A cursor of `events`; left out, from the beginning."
    )


@strawberry.type(description="The webhook is there, and is sent what happens from now on.")
class WebhookCreated:
    """Keep the secret: it is not shown again."""

    webhook: Webhook | None
    secret: str = strawberry.field(description="By which messages are signed: whsec_ and base64 (Standard Webhooks).")


@strawberry.type(description="Messages are signed by a new secret, and for a day by the one before too.")
class WebhookSecretRotated:
    """Keep the secret: it is not shown again."""

    webhook: Webhook | None
    secret: str


@strawberry.type(description="The webhook was changed; what is pending goes to its new address.")
class WebhookUpdated:
    """As it is now."""

    webhook: Webhook | None


@strawberry.type(description="What is pending is sent at once, or nothing any more.")
class WebhookEnabled:
    """As it is now."""

    webhook: Webhook | None


@strawberry.type(description="The webhook is gone, with what was being sent.")
class WebhookDeleted:
    """Nothing is left of it."""

    id: strawberry.ID


@strawberry.type(description="A message of the type tessera.WEBHOOK_TESTED is sent; see its deliveries.")
class WebhookTested:
    """As it is now."""

    webhook: Webhook | None


@strawberry.type(description="All after the cursor is sent again, as the same messages.")
class WebhookReplayed:
    """As it is now."""

    webhook: Webhook | None


CreateWebhookResult = Annotated[WebhookCreated | Shared, strawberry.union("CreateWebhookResult")]
UpdateWebhookResult = Annotated[WebhookUpdated | Shared, strawberry.union("UpdateWebhookResult")]
RotateWebhookSecretResult = Annotated[WebhookSecretRotated | Shared, strawberry.union("RotateWebhookSecretResult")]
EnableWebhookResult = Annotated[WebhookEnabled | Shared, strawberry.union("EnableWebhookResult")]
DeleteWebhookResult = Annotated[WebhookDeleted | Shared, strawberry.union("DeleteWebhookResult")]
TestWebhookResult = Annotated[WebhookTested | Shared, strawberry.union("TestWebhookResult")]
ReplayWebhookResult = Annotated[WebhookReplayed | Shared, strawberry.union("ReplayWebhookResult")]


@strawberry.type
class WebhookQueries:
    """A merchant sees its own; the operator all."""

    @strawberry.field(description="Webhooks, oldest first.")
    async def webhooks(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Webhook]:
        """Two statements at most."""
        asked = window(webhooks.SHAPE, first, after, last, before)
        return Connection[Webhook].of(await webhooks.listed(info.context, asked), Webhook.of)


@strawberry.type
class WebhookMutations:
    """A merchant changes its own; the operator any."""

    @strawberry.mutation(description="Be sent what happens from now on.")
    async def create_webhook(self, info: Info, input: CreateWebhookInput) -> CreateWebhookResult | None:
        """The secret is shown once."""
        found = await answer(info, input, webhooks.create)
        if isinstance(found, UserError):
            return cast("Any", found)
        return WebhookCreated(webhook=Webhook.maybe(found[0]), secret=found[1])

    @strawberry.mutation(description="Change where, which or what for.")
    async def update_webhook(self, info: Info, input: UpdateWebhookInput) -> UpdateWebhookResult | None:
        """What is left out stays."""
        found = await answer(info, input, webhooks.update)
        return cast("Any", found if isinstance(found, UserError) else WebhookUpdated(webhook=Webhook.maybe(found)))

    @strawberry.mutation(description="A new secret; the one before signs for a day more.")
    async def rotate_webhook_secret(self, info: Info, input: WebhookInput) -> RotateWebhookSecretResult | None:
        """The secret is shown once."""
        found = await answer(info, input, webhooks.rotate)
        if isinstance(found, UserError):
            return cast("Any", found)
        return WebhookSecretRotated(webhook=Webhook.maybe(found[0]), secret=found[1])

    @strawberry.mutation(description="Send again, from where it stopped; or stop sending.")
    async def enable_webhook(self, info: Info, input: EnableWebhookInput) -> EnableWebhookResult | None:
        """Also what was disabled for failing."""
        found = await answer(info, input, webhooks.enable)
        return cast("Any", found if isinstance(found, UserError) else WebhookEnabled(webhook=Webhook.maybe(found)))

    @strawberry.mutation(description="Delete it, with what was being sent.")
    async def delete_webhook(self, info: Info, input: WebhookInput) -> DeleteWebhookResult | None:
        """Nothing is left of it."""
        found = await answer(info, input, webhooks.remove)
        return cast("Any", found if isinstance(found, UserError) else WebhookDeleted(id=strawberry.ID(found)))

    @strawberry.mutation(description="Send a message that says nothing, at once.")
    async def test_webhook(self, info: Info, input: WebhookInput) -> TestWebhookResult | None:
        """What came of it is among the deliveries."""
        found = await answer(info, input, webhooks.test)
        return cast("Any", found if isinstance(found, UserError) else WebhookTested(webhook=Webhook.maybe(found)))

    @strawberry.mutation(description="Send again all after a cursor, as the same messages.")
    async def replay_webhook(self, info: Info, input: ReplayWebhookInput) -> ReplayWebhookResult | None:
        """What is being sent after it is begun anew."""
        found = await answer(info, input, webhooks.replay)
        return cast("Any", found if isinstance(found, UserError) else WebhookReplayed(webhook=Webhook.maybe(found)))
