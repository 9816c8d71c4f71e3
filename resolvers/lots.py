"""Single lots in reach, where they came from, and what was set aside of wallets."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.stored_value.queries import paid_lots
from alliance.stored_value.rules import is_money
from domain.ledger import lots
from domain.ledger.lots import HoldsKey, LotKey, SourceRow
from domain.ledger.model import Hold, HoldStatus
from domain.ledger.queries import LotRow, WalletKey
from domain.ledger.statements import By
from resolvers import ids
from resolvers.context import Context
from resolvers.loaders import later
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of, sees_currency
from resolvers.wallets import in_reach

HOLD_SHAPE = (UUID,)


async def by_global_id(context: Context, global_id: str) -> LotRow | None:
    """The lot of a global id, or None. Raises NotFound for an id of something else."""
    return await one(context, *ids.decode_as("Lot", global_id, 2))


async def one(context: Context, holder_id: UUID, lot_id: UUID) -> LotRow | None:
    """A lot, if its holder and its currency are in reach."""
    if not await in_reach(context, holder_id):
        return None
    found = await _lots(context).load((holder_id, lot_id))
    seen = found is not None and sees_currency(context.signed_in, context.runtime.catalogue, found.currency)
    return found if seen else None


async def sources(context: Context, row: LotRow) -> list[SourceRow]:
    """What its points were before they were given, brought back or exchanged."""
    return await _sources(context).load((row.holder_id, row.id))


async def is_paid(context: Context, row: LotRow) -> bool:
    """Whether it is stored value that was paid for: only of stored value that is asked."""
    if not is_money(context.runtime.catalogue.currencies[row.currency]):
        return False
    return await _paid(context).load((row.holder_id, row.id))


class HoldsOf(NamedTuple):
    """Which holds: of a currency ("" for all), of these statuses (none for all), as of a moment, in the `past`."""

    currency: str
    statuses: tuple[str, ...]
    as_of: datetime
    past: By | None

    def of(self, context: Context, holder_id: UUID) -> HoldsKey:
        """Of a holder, as far as the viewer may see them."""
        return HoldsKey(holder_id, self.as_of, self.currency, self.statuses, members_of(context.signed_in), self.past)


async def holds(
    context: Context,
    holder_id: UUID,
    currency: str | None,
    statuses: list[HoldStatus] | None,
    asked: Window,
    wallet: WalletKey | None = None,
) -> Page[Hold]:
    """A page of what was set aside of a holder's wallets, newest first; a merchant sees what is for it or of it.

    Of a `wallet` of the past, as it stood then.
    """
    wanted = tuple(sorted({status.value for status in statuses or ()}))
    moment = (context.as_of, None) if wallet is None else (wallet.as_of, wallet.past)
    return await _holds(context, HoldsOf(currency or "", wanted, *moment), asked).load(holder_id)


def _lots(context: Context) -> DataLoader[LotKey, LotRow | None]:
    async def load(session: AsyncSession, keys: list[LotKey]) -> list[LotRow | None]:
        found = await lots.lots(session, keys)
        return [found.get(key) for key in keys]

    return context.loaders.one_of("lots by id", load)


def _paid(context: Context) -> DataLoader[LotKey, bool]:
    async def load(session: AsyncSession, keys: list[LotKey]) -> list[bool]:
        found = await paid_lots(session, keys)
        return [key in found for key in keys]

    return context.loaders.one_of("paid lots", load)


def _sources(context: Context) -> DataLoader[LotKey, list[SourceRow]]:
    async def load(session: AsyncSession, keys: list[LotKey]) -> list[list[SourceRow]]:
        found = await lots.sources(session, keys)
        return [found[key] for key in keys]

    return context.loaders.one_of("sources", load)


def _holds(context: Context, which: HoldsOf, asked: Window) -> DataLoader[UUID, Page[Hold]]:
    async def load(session: AsyncSession, holders: list[UUID]) -> list[Page[Hold]]:
        keys = [which.of(context, holder_id) for holder_id in holders]
        found = await lots.holds_page(
            session,
            keys,
            asked.size + 1,
            older_than=None if asked.after is None else asked.after[0],
            newer_than=None if asked.before is None else asked.before[0],
            backward=asked.backward,
        )
        counts = _hold_counts(context, which)
        return [page(asked, found[key], lambda hold: (hold.id,), later(counts, key.holder_id)) for key in keys]

    return context.loaders.one_of(("holds", which, asked), load)


def _hold_counts(context: Context, which: HoldsOf) -> DataLoader[UUID, int]:
    async def load(session: AsyncSession, holders: list[UUID]) -> list[int]:
        keys = [which.of(context, holder_id) for holder_id in holders]
        found = await lots.hold_counts(session, keys)
        return [found[key] for key in keys]

    return context.loaders.one_of(("hold counts", which), load)
