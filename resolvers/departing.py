"""A merchant that leaves: its staff gives notice, or the operator; everybody sees the dates (A12, A14)."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.steps import Act
from alliance.departing import commands, queries
from alliance.departing.model import MerchantExit
from domain.errors import NotAllowed, NotFound
from domain.programs.catalogue import Merchant
from resolvers.context import Context
from resolvers.once import once
from resolvers.sent import Sent, key_of

Step = Callable[[AsyncSession, Merchant, Act], Awaitable[MerchantExit]]


async def announce(context: Context, sent: Sent) -> Merchant:
    """Give notice. Raises a Refusal."""

    async def step(session: AsyncSession, merchant: Merchant, act: Act) -> MerchantExit:
        return await commands.announce(session, context.runtime.catalogue, merchant, on=sent.get("on"), act=act)

    return await _take(context, "announceExit", sent, step)


async def withdraw(context: Context, sent: Sent) -> Merchant:
    """Stay after all. Raises a Refusal."""

    async def step(session: AsyncSession, merchant: Merchant, act: Act) -> MerchantExit:
        return await commands.withdraw(session, context.runtime.catalogue.alliance, merchant, act)

    return await _take(context, "withdrawExit", sent, step)


async def _take(context: Context, name: str, sent: Sent, step: Step) -> Merchant:
    catalogue = context.runtime.catalogue
    merchant = catalogue.merchants.get(sent["merchant"])
    if merchant is None:
        raise NotFound(what=f"merchant {sent['merchant'][:40]!r}", path=("merchant",))
    own = context.own_merchant_id
    if own not in (None, merchant.id):
        raise NotAllowed(reason="each merchant gives its own notice", path=("merchant",))

    async def act(session: AsyncSession) -> dict[str, Any]:
        party = catalogue.alliance.id if own is None else own
        await step(session, merchant, Act(party, context.signed_in.subject, sent["reason"], context.as_of))
        return {}

    await once(context, key_of(context, name, sent), act)
    await context.runtime.refresh()
    return context.runtime.catalogue.merchants[merchant.code]


async def latest(context: Context, merchant: Merchant) -> tuple[MerchantExit, list[str]] | None:
    """The last notice of a merchant, and what is still open of it."""
    async with context.runtime.database.reader() as session:
        row = await queries.latest(session, merchant.id)
        return None if row is None else (row, await queries.obstacles(session, row, context.as_of))


def sees_obstacles(context: Context, merchant: Merchant) -> bool:
    """Itself, the operator and auditors."""
    return context.own_merchant_id in (None, merchant.id)
