"""Pools: who is in them, and points that go in, out, or are spent from them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.gifts.commands import pool_request
from domain.errors import NotAllowed, NotFound, Refusal
from domain.ledger.model import OperationKind
from domain.ledger.queries import OperationRow
from domain.ledger.request import Posted
from domain.members import rules
from domain.members.model import IdentifierRef
from domain.pools import commands, queries
from domain.pools.model import PoolKind, PoolMember, PoolRole, PoolRow
from domain.programs.catalogue import Merchant
from resolvers import ids
from resolvers.acting import member_of, merchant_of, ref_of
from resolvers.codes import claim, using
from resolvers.context import Context
from resolvers.guarding import from_device
from resolvers.once import once
from resolvers.sent import Sent, key_of


async def load(context: Context, pool_id: UUID) -> PoolRow | None:
    """A pool in reach, or None."""
    return await context.loaders.pools.load(pool_id)


async def by_global_id(context: Context, global_id: str) -> PoolRow | None:
    """The pool of a global id, or None. Raises NotFound for an id of something else."""
    return await load(context, *ids.decode_as("Pool", global_id, 1))


async def members(context: Context, pool_id: UUID) -> list[PoolMember]:
    """Who is in a pool, and who was."""

    async def load(session: AsyncSession, pool_ids: list[UUID]) -> list[list[PoolMember]]:
        found = await queries.members(session, pool_ids)
        return [found[id_] for id_ in pool_ids]

    loader: DataLoader[UUID, list[PoolMember]] = context.loaders.one_of("pool members", load)
    return await loader.load(pool_id)


async def of_member(context: Context, member_id: UUID) -> list[PoolRow]:
    """The pools in reach that a member is in now."""

    async def load(session: AsyncSession, member_ids: list[UUID]) -> list[list[UUID]]:
        found = await queries.of_members(session, member_ids)
        return [found[id_] for id_ in member_ids]

    loader: DataLoader[UUID, list[UUID]] = context.loaders.one_of("pools of members", load)
    rows = await context.loaders.pools.load_many(await loader.load(member_id))
    return [row for row in rows if row is not None]


async def spent_by(context: Context, row: OperationRow) -> PoolMember | None:
    """Who spent points of a pool by an operation; None for all others."""
    if row.kind != OperationKind.REDEEM:
        return None

    async def load(session: AsyncSession, pairs: list[queries.Pair]) -> list[PoolMember | None]:
        found = await queries.spenders(session, pairs)
        return [found.get(pair) for pair in pairs]

    loader: DataLoader[queries.Pair, PoolMember | None] = context.loaders.one_of("pool spenders", load)
    return await loader.load((row.holder_id, row.id))


async def number(context: Context, member_id: UUID) -> str | None:
    """The number of who is or was in a pool; a member sees the last characters of another's."""
    found = await _numbers(context).load(member_id)
    viewer = context.signed_in
    if found is None or viewer.kind == "auditor":
        return None
    return rules.mask(found) if viewer.kind == "member" and viewer.member_id != member_id else found


def _numbers(context: Context) -> DataLoader[UUID, str | None]:
    async def load(session: AsyncSession, member_ids: list[UUID]) -> list[str | None]:
        found = await queries.numbers(session, member_ids)
        return [found.get(id_) for id_ in member_ids]

    return context.loaders.one_of("numbers", load)


async def create(context: Context, sent: Sent) -> dict[str, Any]:
    """Make a pool: `pool`. Raises a Refusal."""
    key = key_of(context, "createPool", sent)
    merchant = merchant_of(context, sent["merchant"])
    owner_id = await joined(context, merchant, sent, "owner", near=True)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent, "owner")
        made = await commands.create(
            session,
            merchant_id=merchant.id,
            owner_id=owner_id,
            name=sent["name"],
            as_of=context.as_of,
            kind=PoolKind(sent.get("kind") or PoolKind.HOUSEHOLD),
        )
        return {"pool": str(made)}

    return await once(context, key, act)


async def add_member(context: Context, sent: Sent) -> dict[str, Any]:
    """Let a member in: `pool`. Raises a Refusal."""
    key = key_of(context, "addPoolMember", sent)
    pool, merchant = await pool_of(context, sent)
    member_id = await joined(context, merchant, sent, "member", near=context.signed_in.kind != "member")
    who: Any = {"pool_id": pool.id, "member_id": member_id, "by_id": context.signed_in.member_id}

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await commands.add_member(session, role=PoolRole(sent["role"]), as_of=context.as_of, **who)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def remove_member(context: Context, sent: Sent) -> dict[str, Any]:
    """Let a member go: `pool`. Raises a Refusal."""
    key = key_of(context, "removePoolMember", sent)
    pool, merchant = await pool_of(context, sent)
    member_id = await joined(context, merchant, sent, "member", near=False)
    who: Any = {"pool_id": pool.id, "member_id": member_id, "by_id": context.signed_in.member_id}

    async def act(session: AsyncSession) -> dict[str, Any]:
        await claim(context, session, sent)
        await commands.remove_member(session, as_of=context.as_of, **who)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def close(context: Context, sent: Sent) -> dict[str, Any]:
    """Close an empty pool: `pool`. Raises a Refusal."""
    key = key_of(context, "closePool", sent)
    pool, _ = await pool_of(context, sent)

    async def act(session: AsyncSession) -> dict[str, Any]:
        await commands.close(session, pool_id=pool.id, by_id=context.signed_in.member_id, as_of=context.as_of)
        return {"pool": str(pool.id)}

    return await once(context, key, act)


async def contribute(context: Context, sent: Sent) -> tuple[Posted, UUID, str]:
    """Put a member's points into a pool: what was posted, from the member's side. Raises a Refusal, or Overloaded."""
    return await _transfer(context, sent, "contributeToPool", OperationKind.POOL_IN)


async def withdraw(context: Context, sent: Sent) -> tuple[Posted, UUID, str]:
    """Take points out of a pool, as `contribute`."""
    return await _transfer(context, sent, "withdrawFromPool", OperationKind.POOL_OUT)


async def _transfer(context: Context, sent: Sent, name: str, kind: Any) -> tuple[Posted, UUID, str]:
    key = key_of(context, name, sent)
    pool, merchant = await pool_of(context, sent)
    member_id = await member_of(context, merchant, sent["member"])
    currency = sent.get("currency") or merchant.default_currency or ""
    if currency not in merchant.currencies:
        raise NotFound(what=f"currency {currency[:40]!r} of {merchant.code}", path=("currency",))
    request = pool_request(
        context.runtime,
        kind=kind,
        pool_id=pool.id,
        member_id=member_id,
        currency=currency,
        points=sent["points"],
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        dry_run=bool(sent.get("dryRun")),
    )
    from_device(context, request, member_id)
    sides = ("member", "pool") if kind == OperationKind.POOL_IN else ("pool", "member")
    try:
        using(context, request, sent)
        posted = await context.runtime.engine.post(request)
    except Refusal as refusal:
        if refusal.path[:1] in (("from",), ("to",)):
            refusal.path = (sides[refusal.path[0] == "to"], *refusal.path[1:])
        raise
    return replace(posted, holder_id=member_id), pool.id, currency


async def spender(context: Context, member_id: UUID, sent: Sent) -> UUID | None:
    """The pool that a redemption names, if it does: only for who is in it. Raises NotFound."""
    if sent.get("pool") is None:
        return None
    try:
        (pool_id,) = ids.decode_as("Pool", sent["pool"], 1)
    except NotFound as refusal:
        raise refusal.at("pool") from None
    if not any(one.member_id == member_id and one.left_at is None for one in await members(context, pool_id)):
        raise NotFound(what="pool", path=("pool",))
    return pool_id


async def pool_of(context: Context, sent: Sent) -> tuple[PoolRow, Merchant]:
    """The pool that a call names, and whose points it holds. Raises NotFound."""
    try:
        found = await by_global_id(context, sent["pool"])
    except NotFound as refusal:
        raise refusal.at("pool") from None
    if found is None:
        raise NotFound(what="pool", path=("pool",))
    return found, context.runtime.catalogue.merchants_by_id[found.merchant_id]


async def joined(context: Context, merchant: Merchant, sent: Sent, field: str, *, near: bool) -> UUID:
    """A member of the merchant's programme; if `near`, whom the caller acts for. Raises NotFound, NotAllowed."""
    try:
        ref = ref_of(context, sent[field])
        if near:
            await member_of(context, merchant, sent[field])
        found = await context.house.resolve.load((merchant.code, ref))
        if not found.joined:
            shown = isinstance(ref, IdentifierRef) or sent[field].get("token") is not None
            known = context.own_merchant_id is None or shown
            raise (
                NotAllowed(reason=f"who is not a member of {merchant.code}'s", path=("member",))
                if known
                else NotFound(what="member", path=("member",))
            )
        return found.member_id
    except Refusal as refusal:
        refusal.path = (field, *refusal.path[1:])
        raise
