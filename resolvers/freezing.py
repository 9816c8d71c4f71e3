"""Freezing and restoring merchants, and what was done so: the operator's; a merchant sees its own (A14, A16)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exposure import freezing, queries
from alliance.exposure.model import FreezeStep
from domain.errors import NotFound
from domain.programs.catalogue import Merchant
from resolvers.context import Context
from resolvers.once import once
from resolvers.sent import Sent, key_of

Command = Callable[..., Awaitable[None]]


async def freeze(context: Context, sent: Sent) -> Merchant:
    """Have a merchant issue and exchange nothing new. Raises a Refusal."""
    return await _step(context, "freezeMerchant", sent, freezing.freeze)


async def restore(context: Context, sent: Sent) -> Merchant:
    """Let a merchant take part again. Raises a Refusal."""
    return await _step(context, "restoreMerchant", sent, freezing.restore)


async def _step(context: Context, name: str, sent: Sent, command: Command) -> Merchant:
    merchant = context.runtime.catalogue.merchants.get(sent["merchant"])
    if merchant is None:
        raise NotFound(what=f"merchant {sent['merchant'][:40]!r}", path=("merchant",))

    async def act(session: AsyncSession) -> dict[str, Any]:
        await command(session, merchant.id, who=context.signed_in.subject, why=sent["reason"], as_of=context.as_of)
        return {"merchant": merchant.code}

    await once(context, key_of(context, name, sent), act)
    await context.runtime.refresh()
    return context.runtime.catalogue.merchants[merchant.code]


async def steps(context: Context, merchant: Merchant) -> Sequence[FreezeStep]:
    """When a merchant was frozen and restored, newest first; of another merchant nothing."""
    if context.own_merchant_id not in (None, merchant.id):
        return []
    async with context.runtime.database.reader() as session:
        return await queries.freezes(session, merchant.id)
