"""Signing out."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotAllowed, NotFound
from domain.sessions.commands import sign_out
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.members import find
from resolvers.once import once
from resolvers.sent import Sent, key_of


async def sign_out_everywhere(context: Context, sent: Sent) -> UUID:
    """End all sessions of a member: one's own, or for the operator any's; whose. Raises a Refusal."""
    key = key_of(context, "signOutEverywhere", sent)
    member_id = await _whose(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await sign_out(session, member_id, context.as_of)
        return {}

    await once(context, key, act)
    return member_id


async def _whose(context: Context, sent: Sent) -> UUID:
    own = context.signed_in.member_id
    if sent.get("member") is None:
        if own is None:
            raise NotAllowed(reason="say which member", path=("member",))
        return own
    found = await find(context, sent["member"])
    if found is None:
        raise NotFound(what="member", path=("member",))
    return found.id
