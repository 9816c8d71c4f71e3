"""What members let merchants have of their data, and what follows from it for who may see what (L7)."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.contacts import sharing
from domain.contacts.sharing import DataConsent, DataKind
from domain.errors import InvalidInput
from resolvers.acting import member_of, merchant_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.reach import members_of
from resolvers.sent import Sent, key_of

MOST_VERSION = 100


async def say(context: Context, sent: Sent, *, given: bool) -> UUID:
    """Keep that a member lets a merchant have data of theirs, or no more; whose. Raises a Refusal."""
    kinds: list[DataKind] = sent["kinds"]
    key = key_of(context, "shareData" if given else "stopSharing", {**sent, "kinds": [kind.value for kind in kinds]})
    merchant = merchant_of(context, sent["merchant"])
    member_id = await member_of(context, merchant, sent["member"])
    version: str | None = sent.get("textVersion")
    if version is not None and not 1 <= len(version) <= MOST_VERSION:
        raise InvalidInput(reason=f"must have 1 to {MOST_VERSION} characters", path=("textVersion",))
    client_id = context.signed_in.client_id
    named: dict[str, Any] = {"purpose": sent.get("purpose"), "text_version": version, "client_id": client_id}

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await sharing.share(session, member_id, merchant.id, kinds, given=given, as_of=context.as_of, **named)
        return {}

    await once(context, key, act)
    return member_id


async def of_member(context: Context, member_id: UUID) -> list[DataConsent]:
    """The newest word of each merchant and kind; a merchant sees what was said of itself."""

    async def load(session: AsyncSession, keys: list[UUID]) -> list[list[DataConsent]]:
        found = await sharing.newest(session, keys, members_of(context.signed_in))
        return [found[key] for key in keys]

    return await context.loaders.one_of("sharing", load).load(member_id)


async def may_have(context: Context, member_id: UUID, kind: DataKind) -> bool:
    """Whether this merchant may have that kind of a member's data; who is no merchant is not asked."""
    if context.own_merchant_id is None:
        return True
    return any(word.given and word.kind == kind for word in await of_member(context, member_id))
