"""Wallets in reach as they were at a past instant: by booking, or where the caller sets the clock, by the clock."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from domain.errors import InvalidInput
from domain.ledger import asof
from domain.ledger.archived import archived_since
from domain.ledger.queries import LotRow, WalletFigures, WalletKey
from resolvers.context import Context
from resolvers.loaders import later, lot_bound, lot_cursor
from resolvers.pages import Page, Window, page
from resolvers.reach import sees_currency


def instant(context: Context, as_of: datetime) -> datetime:
    """A moment that is not ahead. Raises InvalidInput."""
    if as_of > context.as_of:
        raise InvalidInput(reason="asOf lies ahead", path=("asOf",))
    return as_of


async def wallets(context: Context, holder_id: UUID, as_of: datetime) -> list[WalletFigures]:
    """All wallets in reach that had been posted to by then."""

    async def load(session: AsyncSession, holders: list[UUID]) -> list[list[WalletFigures]]:
        if await archived_since(session, holders, as_of):
            raise InvalidInput(reason="what moved after asOf was archived", path=("asOf",))
        keys = [WalletKey(holder_id, "", as_of) for holder_id in holders]
        found = await asof.wallets(session, keys, context.past)
        return [
            [w for w in found[key] if sees_currency(context.signed_in, context.runtime.catalogue, w.currency)]
            for key in keys
        ]

    loader: DataLoader[UUID, list[WalletFigures]] = context.loaders.one_of(("past", as_of), load)
    return await loader.load(holder_id)


def lots(context: Context, asked: Window) -> DataLoader[WalletKey, Page[LotRow]]:
    """A page of the lots that were alive, in the order they would have been spent."""

    async def load(session: AsyncSession, keys: list[WalletKey]) -> list[Page[LotRow]]:
        start, end = (asked.before, asked.after) if asked.backward else (asked.after, asked.before)
        found = await asof.lots_page(
            session, keys, context.past, asked.size + 1, lot_bound(start), lot_bound(end), backward=asked.backward
        )
        counts = _counts(context)
        return [page(asked, found[key], lot_cursor, later(counts, key)) for key in keys]

    return context.loaders.one_of(("past lots", asked), load)


def _counts(context: Context) -> DataLoader[WalletKey, int]:
    async def load(session: AsyncSession, keys: list[WalletKey]) -> list[int]:
        found = await asof.lot_counts(session, keys, context.past)
        return [found[key] for key in keys]

    return context.loaders.one_of("past lot counts", load)


def expiries(context: Context, size: int) -> DataLoader[WalletKey, list[tuple[date, int]]]:
    """The next dates on which points would have expired, each in its merchant's time zone."""

    async def load(session: AsyncSession, keys: list[WalletKey]) -> list[list[tuple[date, int]]]:
        zones = [context.runtime.catalogue.issuer_of(key.currency).timezone.key for key in keys]
        found = await asof.expiries(session, keys, context.past, zones, size)
        return [found[key] for key in keys]

    return context.loaders.one_of(("past expiries", size), load)
