"""Freezing members and restoring them: the operator's."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import InvalidInput, NotFound
from domain.members import life
from domain.members.model import Member
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.members import find
from resolvers.once import once
from resolvers.sent import Sent, key_of

MOST_REASON = 200


async def freeze(context: Context, sent: Sent) -> Member:
    """Let a member look and move nothing. Raises a Refusal."""
    until = sent.get("until")
    plain = {**sent, "reason": sent["reason"].value, "until": until and until.isoformat()}
    key = key_of(context, "freezeMember", plain)
    member_id = await named(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await life.freeze(session, member_id, reason=sent["reason"], until=until, as_of=context.as_of)
        return {}

    await once(context, key, act)
    return await shown(context, member_id)


async def restore(context: Context, sent: Sent) -> Member:
    """Let a frozen member move points again. Raises a Refusal."""
    key = key_of(context, "restoreMember", sent)
    member_id = await named(context, sent)
    reason: str = sent["reason"].strip()
    if not 0 < len(reason) <= MOST_REASON:
        raise InvalidInput(reason=f"must have 1 to {MOST_REASON} characters", path=("reason",))

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await life.restore(session, member_id, reason=reason, as_of=context.as_of)
        return {}

    await once(context, key, act)
    return await shown(context, member_id)


async def named(context: Context, sent: Sent) -> UUID:
    """The member that a call names, if in reach. Raises NotFound, InvalidInput."""
    found = await find(context, sent["member"])
    if found is None:
        raise NotFound(what="member", path=("member",))
    return found.id


async def shown(context: Context, member_id: UUID) -> Member:
    """The member as they are now."""
    context.forget()
    found = await context.loaders.members.load(member_id)
    if found is None:
        raise LookupError("a member that was just written is not there")
    return found
