"""How members may be written to, and what they were: consents, previews of texts, messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.rules import require_not_ahead
from domain.contacts import commands
from domain.contacts import queries as contacts
from domain.contacts.model import Consent, ContactChannel, NewConsent
from domain.errors import InvalidInput
from domain.messages import queries as messages
from domain.messages.model import Message, MessageKind
from domain.messages.texts import preview as filled
from domain.programs.catalogue import Merchant
from domain.programs.notifying import NotificationTerms
from resolvers.acting import member_of, merchant_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

MOST_VERSION = 100
MOST = range(1, 101)
NOTHING_SAID = NotificationTerms((), frozenset())
"""Of a merchant that has no `notifications`: its members would be told in the words that are shipped."""


async def say(context: Context, sent: Sent, *, given: bool) -> tuple[UUID, Merchant]:
    """Keep that a member gave or withdrew consent; whose, and to whom. Raises a Refusal."""
    key = key_of(context, "giveConsent" if given else "withdrawConsent", _plain(sent))
    merchant = merchant_of(context, sent["merchant"])
    member_id = await member_of(context, merchant, sent["member"])
    happened_at: datetime = sent.get("happenedAt") or context.as_of
    require_not_ahead(happened_at, context.as_of)
    word = consent_of(context, member_id, merchant, sent, happened_at, given=given)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await commands.record(session, [word])
        return {}

    await once(context, key, act)
    return member_id, merchant


def consent_of(
    context: Context, member_id: UUID, merchant: Merchant, sent: Sent, happened_at: datetime, *, given: bool = True
) -> NewConsent:
    """What was sent of a consent. Raises InvalidInput for a version of a text that cannot be."""
    version = sent.get("textVersion")
    if version is not None and not 1 <= len(version) <= MOST_VERSION:
        raise InvalidInput(reason=f"must have 1 to {MOST_VERSION} characters", path=("textVersion",))
    kind = (sent["purpose"], sent["channel"])
    return NewConsent(member_id, merchant.id, *kind, given, happened_at, version, context.signed_in.client_id)


def plain_consents(sent: Sent) -> dict[str, Any]:
    """What was sent, with the consents as texts: as a key remembers it."""
    consents = sent.get("consents")
    return {**sent} if consents is None else {**sent, "consents": [_plain(one) for one in consents]}


def _plain(sent: Sent) -> dict[str, Any]:
    plain = {**sent, "purpose": sent["purpose"].value, "channel": sent["channel"].value}
    return plain | ({"happenedAt": at.isoformat()} if (at := sent.get("happenedAt")) else {})


async def of_member(context: Context, member_id: UUID) -> list[Consent]:
    """The newest word of each kind; a merchant sees what was said to it."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[Consent]]:
        found = await contacts.newest(session, keys, members_of(context.signed_in))
        return [found[key] for key in keys]

    return await context.loaders.one_of("consents", load).load(member_id)


async def messages_of(context: Context, member_id: UUID, first: int) -> Sequence[Message]:
    """The newest messages; a merchant sees its own. Raises InvalidInput for too many."""
    if first not in MOST:
        raise InvalidInput(reason=f"must be {MOST.start} to {MOST.stop - 1}", path=("first",))

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[Message]]:
        found = await messages.newest(session, keys, members_of(context.signed_in), first)
        return [found[key] for key in keys]

    return await context.loaders.one_of(("messages", first), load).load(member_id)


def preview(
    context: Context, merchant: str, kind: MessageKind, channel: ContactChannel, language: str | None
) -> tuple[str, dict[str, str]] | None:
    """The language that a text is in, and the text, its gaps filled with examples; None for a merchant out of reach."""
    known = context.runtime.catalogue.merchants.get(merchant)
    if known is None or context.own_merchant_id not in (None, known.id):
        return None
    return filled(known.notifications or NOTHING_SAID, kind, channel, language)
