"""Wallets as they change, for as long as somebody follows them and may."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from domain.errors import NotFound
from domain.ledger.queries import WalletFigures
from resolvers import members, wallets
from resolvers.context import Context
from resolvers.sent import Sent


async def wallets_of(context: Context, by: Sent) -> AsyncIterator[WalletFigures]:
    """Each wallet of a member that is in reach, and again when its figures are others: by a posting, or by the clock.

    Raises Overloaded, InvalidInput; NotFound, also once the member is out of reach.
    """
    member = await members.find(context, by)
    if member is None:
        raise NotFound(what="member", path=("member",))
    told: dict[str, WalletFigures] = {}
    async with context.house.waking.of_holder(member.id, context.signed_in) as postings:
        while True:
            await postings.expect()
            context.anew(datetime.now(UTC))
            if await context.loaders.members.load(member.id) is None:
                raise NotFound(what="member", path=("member",))
            for figures in await wallets.of_holder(context, member.id):
                if told.get(figures.currency) != figures:
                    told[figures.currency] = figures
                    yield figures
            await postings.wait()
