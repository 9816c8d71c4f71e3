"""Running a pool: invitations, roles, limits, and its end."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.gifts.dissolving import dissolve as dissolve_pool
from domain.errors import InvalidInput, NotFound
from domain.pools import commands, households, queries
from domain.pools.model import EACH, PoolInvitation, PoolLimit, PoolRole, PoolRow
from resolvers import ids
from resolvers.acting import member_of
from resolvers.codes import claim
from resolvers.context import Context
from resolvers.once import once
from resolvers.pools import joined, pool_of
from resolvers.sent import Sent, key_of


async def invite(context: Context, sent: Sent) -> dict[str, Any]:
    """Ask a member in: `pool`. Raises a Refusal."""
    key = key_of(context, "invitePoolMember", sent)
    pool, merchant = await pool_of(context, sent)
    member_id = await joined(context, merchant, sent, "member", near=context.signed_in.kind != "member")

    async def act(session: AsyncSession) -> dict[str, Any]:
        who: Any = {"pool_id": pool.id, "member_id": member_id, "by_id": context.signed_in.member_id}
        await claim(context, session, sent, "member")
        await households.invite(session, role=PoolRole(sent["role"]), as_of=context.as_of, **who)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def answer(context: Context, sent: Sent) -> dict[str, Any]:
    """Accept an invitation, or decline it: `pool`. Raises a Refusal."""
    key = key_of(context, "answerPoolInvitation", sent)
    try:
        (pool_id,) = ids.decode_as("Pool", sent["pool"], 1)
    except NotFound as refusal:
        raise refusal.at("pool") from None
    async with context.runtime.database.reader() as session:
        known = (await queries.pools(session, [pool_id])).get(pool_id)
    own = context.own_merchant_id
    if known is None or own not in (None, known.merchant_id):
        raise NotFound(what="pool", path=("pool",))
    merchant = context.runtime.catalogue.merchants_by_id[known.merchant_id]
    member_id = await member_of(context, merchant, sent["member"])

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent, "member")
        accepts = bool(sent["accept"])
        await households.answer(session, pool_id=pool_id, member_id=member_id, accepts=accepts, as_of=context.as_of)
        return {"pool": str(pool_id)}

    return await once(context, key, act)


async def set_role(context: Context, sent: Sent) -> dict[str, Any]:
    """Give another role: `pool`. Raises a Refusal."""
    key = key_of(context, "setPoolRole", sent)
    pool, merchant = await pool_of(context, sent)
    member_id = await joined(context, merchant, sent, "member", near=False)

    async def act(session: AsyncSession) -> dict[str, Any]:
        who: Any = {"pool_id": pool.id, "member_id": member_id, "by_id": context.signed_in.member_id}
        await claim(context, session, sent, "member")
        await households.set_role(session, role=PoolRole(sent["role"]), as_of=context.as_of, **who)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def set_limit(context: Context, sent: Sent) -> dict[str, Any]:
    """Set a limit, or take it away: `pool`. Raises a Refusal."""
    key = key_of(context, "setPoolLimit", sent)
    pool, merchant = await pool_of(context, sent)
    together = bool(sent.get("together"))
    if together and sent.get("member") is not None:
        raise InvalidInput(reason="a limit is a member's, or of all together", path=("together",))
    who = pool.id if together else EACH
    if sent.get("member") is not None:
        who = await joined(context, merchant, sent, "member", near=False)

    async def act(session: AsyncSession) -> dict[str, Any]:
        if sent.get("member") is not None:
            await claim(context, session, sent, "member")
        of: Any = {"pool_id": pool.id, "moves": sent["moves"], "per": sent["per"], "who": who}
        await households.set_limit(session, points=sent.get("points"), by_id=context.signed_in.member_id, **of)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def dissolve(context: Context, sent: Sent) -> dict[str, Any]:
    """Return a pool's points and close it: `pool`. Raises a Refusal.

    The points are returned before: begun again, what is left of them is.
    """
    key = key_of(context, "dissolvePool", sent)
    pool, _ = await pool_of(context, sent)
    viewer, runtime = context.signed_in, context.runtime
    by_id = viewer.member_id

    async def before() -> None:
        await dissolve_pool(runtime, pool, to=sent["to"], by_id=by_id, as_of=context.as_of, client_id=viewer.client_id)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await commands.close(session, pool_id=pool.id, by_id=by_id, as_of=context.as_of)
        return {"pool": str(pool.id)}

    return await once(context, key, act, before)


async def limits_of(context: Context, pool_id: UUID) -> list[PoolLimit]:
    """The limits of a pool."""

    async def load(session: AsyncSession, pool_ids: list[UUID]) -> list[list[PoolLimit]]:
        found = await households.limits(session, pool_ids)
        return [found[id_] for id_ in pool_ids]

    return await context.loaders.one_of("pool limits", load).load(pool_id)


async def invited_to(context: Context, pool_id: UUID) -> list[PoolInvitation]:
    """Who was asked into a pool and has not answered."""

    async def load(session: AsyncSession, pool_ids: list[UUID]) -> list[list[PoolInvitation]]:
        found: dict[UUID, list[PoolInvitation]] = defaultdict(list)
        for row in await households.invitations(session, pool_ids=pool_ids):
            found[row.holder_id].append(row)
        return [found[id_] for id_ in pool_ids]

    return await context.loaders.one_of("pool invitations", load).load(pool_id)


async def invitations_of(context: Context, member_id: UUID) -> list[tuple[PoolInvitation, PoolRow]]:
    """The pools that a member was asked into; a merchant sees those of its own points."""

    async def load(session: AsyncSession, member_ids: list[UUID]) -> list[list[tuple[PoolInvitation, PoolRow]]]:
        rows = await households.invitations(session, member_ids=member_ids)
        pools = await queries.pools(session, [row.holder_id for row in rows], merchant_id=context.own_merchant_id)
        found: dict[UUID, list[tuple[PoolInvitation, PoolRow]]] = defaultdict(list)
        for row in rows:
            if row.holder_id in pools:
                found[row.member_id].append((row, pools[row.holder_id]))
        return [found[id_] for id_ in member_ids]

    return await context.loaders.one_of("invitations", load).load(member_id)
