"""Wallets in reach, and what is in them."""

from datetime import date, datetime
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.ledger.queries import WalletFigures, WalletKey
from resolvers import ids
from resolvers.context import Context
from resolvers.pages import MOST
from resolvers.reach import sees_currency

LOT_SHAPE = (datetime.fromisoformat, UUID)


async def of_member(context: Context, holder_id: UUID, merchants: list[str] | None) -> list[WalletFigures]:
    """All wallets in reach; with `merchants` (codes) only of what those issue."""
    found = await context.loaders.wallets.load(holder_id)
    if merchants is None:
        return found
    catalogue = context.runtime.catalogue
    wanted = {catalogue.merchants[code].id for code in merchants if code in catalogue.merchants}
    return [figures for figures in found if catalogue.currencies[figures.currency].merchant_id in wanted]


async def one(context: Context, holder_id: UUID, currency: str) -> WalletFigures | None:
    """One wallet, empty if nothing was ever posted to it; None for a currency out of reach."""
    if not sees_currency(context.signed_in, context.runtime.catalogue, currency):
        return None
    found = await context.loaders.wallets.load(holder_id)
    mine = (figures for figures in found if figures.currency == currency)
    return next(mine, WalletFigures(holder_id, currency, available=0, held=0))


async def now(context: Context, holder_id: UUID, currency: str) -> WalletFigures | None:
    """As `one`, for the answer to a mutation: read now, and together with the calls that ask at the same time."""
    if not sees_currency(context.signed_in, context.runtime.catalogue, currency):
        return None
    found = await context.house.wallets.load(WalletKey(holder_id, currency, context.as_of))
    return found[0] if found else WalletFigures(holder_id, currency, available=0, held=0)


async def by_global_id(context: Context, rest: bytes) -> WalletFigures | None:
    """The wallet of a global id, without its kind."""
    try:
        holder_id, currency = UUID(bytes=rest[:16]), rest[16:].decode()
    except ValueError:
        return None
    if await context.loaders.members.load(holder_id) is None:
        return None
    return await one(context, holder_id, currency)


async def expiries_of(context: Context, key: WalletKey, size: int) -> list[tuple[date, int]]:
    """The next `size` dates on which points of a wallet expire."""
    return await context.loaders.expiries(size).load(key)


def next_dates(first: int) -> int:
    """A number of dates within bounds. Raises InvalidInput."""
    if not 1 <= first <= MOST:
        raise InvalidInput(reason=f"first must lie within 1 and {MOST}", path=("first",))
    return first


def holder_of(global_id: str) -> UUID:
    """The holder in a member's global id. Raises NotFound."""
    try:
        return ids.decode_as("Member", global_id, 1)[0]
    except NotFound:
        raise NotFound(what="member", path=("member", "id")) from None
