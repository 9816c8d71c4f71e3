"""What a person may ask of the house about themselves; and the holds that keep their data."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.leaving.commands import settle_one
from alliance.privacy import erasing
from alliance.privacy.errors import AlreadyErased
from alliance.privacy.exporting import export_member
from domain.members.model import Member
from domain.privacy import holds
from domain.reads.model import ReadKind
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.life import named, shown
from resolvers.members import find
from resolvers.noting import note
from resolvers.once import once
from resolvers.sent import Sent, key_of


async def erase(context: Context, sent: Sent) -> Member:
    """Forget a person, and settle what is left of them as far as that goes at once. Raises a Refusal."""
    key = key_of(context, "eraseMember", {**sent, "reason": sent["reason"].value})
    member_id = await named(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        client_id = context.signed_in.client_id
        await erasing.erase(session, member_id, reason=sent["reason"], as_of=context.as_of, client_id=client_id)
        return {}

    await once(context, key, act)
    await settle_one(context.runtime, member_id, context.as_of)
    return await shown(context, member_id)


async def place_hold(context: Context, sent: Sent) -> tuple[Member, dict[str, Any]]:
    """Keep what is known of a member. Raises a Refusal."""
    until = sent.get("until")
    key = key_of(context, "placeLegalHold", {**sent, "until": until and until.isoformat()})
    member_id = await named(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await holds.place_hold(session, member_id, reason=sent["reason"], as_of=context.as_of, until=until)
        return {}

    return await shown(context, member_id), await once(context, key, act)


async def release_hold(context: Context, sent: Sent) -> tuple[Member, dict[str, Any]]:
    """End the holds on a member's data. Raises a Refusal."""
    key = key_of(context, "releaseLegalHold", sent)
    member_id = await named(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        return {"released": await holds.release_holds(session, member_id, context.as_of)}

    return await shown(context, member_id), await once(context, key, act)


async def export(context: Context, sent: Sent) -> dict[str, Any] | None:
    """All that is known of a member, for them and for the operator; None for who is not in reach or was erased."""
    member = await find(context, sent)
    if member is None:
        return None
    await note(context, member.id, ReadKind.EXPORT)
    async with context.runtime.database.session() as session:
        try:
            return await export_member(session, context.runtime.catalogue, member.id, context.as_of)
        except AlreadyErased:
            return None
