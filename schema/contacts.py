"""How members may be written to, and what they were: consents, previews of texts, messages."""

from datetime import datetime
from typing import Annotated, Any, Self, cast

import strawberry

from domain.contacts import model
from domain.contacts.model import ContactChannel, Purpose
from domain.messages import model as messages
from domain.messages.model import MessageKind, MessageState
from resolvers import contacts
from schema.answering import answer
from schema.inputs import KEY, MemberRef, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import UserError
from schema.showing import Named

for shared, about in (
    (MessageKind, "Of what a member is told."),
    (
        MessageState,
        "WAITING to be sent; DELIVERED: the member's provider has taken it; LOGGED: no provider is set up; FAILED;"
        " SKIPPED: consent had gone.",
    ),
):
    strawberry.enum(shared, description=about)


@passed_as_sent
@strawberry.input
class GiveConsentInput:
    """A member lets a merchant write to them."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant that writes.")
    member: MemberRef
    purpose: Purpose
    channel: ContactChannel
    text_version: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of the text that the member was shown, as the merchant counts its texts."
    )
    happened_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="Default now.")


@passed_as_sent
@strawberry.input
class WithdrawConsentInput:
    """A member does not let a merchant write to them any more."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant that writes.")
    member: MemberRef
    purpose: Purpose
    channel: ContactChannel
    happened_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="Default now.")


@strawberry.type(description="What a member said last of a purpose and a channel, to one merchant.")
class Consent:
    """What was said before is kept."""

    purpose: Purpose
    channel: ContactChannel
    given: bool
    happened_at: datetime
    text_version: str | None
    row: strawberry.Private[model.Consent]

    @strawberry.field(description="Who writes.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: model.Consent) -> Self:
        """From the database."""
        return cls(
            purpose=Purpose(row.purpose),
            channel=ContactChannel(row.channel),
            given=row.given,
            happened_at=row.happened_at,
            text_version=row.text_version,
            row=row,
        )


@strawberry.type(description="A message to a member. Neither its text nor the address is kept.")
class Message:
    """There is one of a source and channel."""

    kind: MessageKind
    channel: ContactChannel
    purpose: Purpose
    state: MessageState
    language: str | None
    attempts: int
    due_at: datetime = strawberry.field(description="When it may be sent (quiet hours).")
    delivered_at: datetime | None
    proof: str | None = strawberry.field(description="What the provider answered.")
    reason: str | None = strawberry.field(description="What kept it from being sent, as a code.")
    template: str | None = strawberry.field(description="The digest of the text that it was made of.")
    row: strawberry.Private[messages.Message]

    @strawberry.field(description="Who wrote.")
    def merchant(self, info: Info) -> Merchant:
        """From the catalogue."""
        return Merchant.of(info.context.runtime.catalogue.merchants_by_id[self.row.merchant_id])

    @classmethod
    def of(cls, row: messages.Message) -> Self:
        """From the database."""
        return cls(
            kind=MessageKind(row.kind),
            channel=ContactChannel(row.channel),
            purpose=Purpose(row.purpose),
            state=MessageState(row.state),
            language=row.language,
            attempts=row.attempts,
            due_at=row.due_at,
            delivered_at=row.delivered_at,
            proof=row.provider_id,
            reason=row.why,
            template=row.template,
            row=row,
        )


@strawberry.type(description="A text as members would get it, its gaps filled with examples.")
class MessagePreview:
    """Of a channel; what it has not is null."""

    language: str = strawberry.field(description="The one asked for, if there is a text in it.")
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    sms: str | None = None


@strawberry.type(description="The member's word is kept.")
class ConsentGiven:
    """It counts from now on."""

    consents: list[Consent] = strawberry.field(description="What now stands, of this merchant.")


@strawberry.type(description="The member's word is kept.")
class ConsentWithdrawn:
    """It counts from now on."""

    consents: list[Consent] = strawberry.field(description="What now stands, of this merchant.")


GiveConsentResult = Annotated[ConsentGiven | Named, strawberry.union("GiveConsentResult")]
WithdrawConsentResult = Annotated[ConsentWithdrawn | Named, strawberry.union("WithdrawConsentResult")]


async def _said(info: Info, input: object, success: Any, *, given: bool) -> Any:
    found = await answer(info, input, lambda context, sent: contacts.say(context, sent, given=given))
    if isinstance(found, UserError):
        return found
    member_id, merchant = found
    said = await contacts.of_member(info.context, member_id)
    return success(consents=[Consent.of(row) for row in said if row.merchant_id == merchant.id])


@strawberry.type
class ContactMutations:
    """A member's word, taken down by whom it was given to."""

    @strawberry.mutation(description="Keep that a member lets a merchant write to them, for a purpose, by a channel.")
    async def give_consent(self, info: Info, input: GiveConsentInput) -> GiveConsentResult | None:
        """With the version of the text that they were shown."""
        return cast("Any", await _said(info, input, ConsentGiven, given=True))

    @strawberry.mutation(description="Keep that a member does not let a merchant write to them so any more.")
    async def withdraw_consent(self, info: Info, input: WithdrawConsentInput) -> WithdrawConsentResult | None:
        """Messages that wait are not sent then; what the law requires still is (rule L2)."""
        return cast("Any", await _said(info, input, ConsentWithdrawn, given=False))


@strawberry.type
class ContactQueries:
    """For who writes the texts."""

    @strawberry.field(description="A text as members would get it, its gaps filled with examples.")
    def message_preview(
        self, info: Info, merchant: str, kind: MessageKind, channel: ContactChannel, language: str | None = None
    ) -> MessagePreview | None:
        """By the alliance file that is applied; null for another merchant's."""
        found = contacts.preview(info.context, merchant, kind, channel, language)
        return None if found is None else MessagePreview(language=found[0], **found[1])
