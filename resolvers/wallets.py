"""Wallets in reach, and what is in them."""

from datetime import date, datetime
from uuid import UUID

from domain.errors import InvalidInput, NotFound
from domain.ledger.queries import LotRow, WalletFigures, WalletKey
from resolvers import asof, ids
from resolvers.context import Context
from resolvers.pages import MOST, Page, Window
from resolvers.reach import sees_currency

LOT_SHAPE = (datetime.fromisoformat, UUID)
PAST = "@"
"""Between a wallet's currency and its moment, in ids of wallets of the past."""


async def of_holder(
    context: Context, holder_id: UUID, merchants: list[str] | None = None, as_of: datetime | None = None
) -> list[WalletFigures]:
    """All wallets in reach; with `merchants` (codes) only of what those issue; with `as_of` as they were then.

    Raises InvalidInput for an `as_of` that lies ahead.
    """
    if as_of is None:
        found = await context.loaders.wallets.load(holder_id)
    else:
        found = await asof.wallets(context, holder_id, asof.instant(context, as_of))
    if merchants is None:
        return found
    catalogue = context.runtime.catalogue
    wanted = {catalogue.merchants[code].id for code in merchants if code in catalogue.merchants}
    return [figures for figures in found if catalogue.currencies[figures.currency].merchant_id in wanted]


async def one(context: Context, holder_id: UUID, currency: str, as_of: datetime | None = None) -> WalletFigures | None:
    """One wallet, empty if nothing was ever posted to it; None for a currency out of reach. Raises as `of_holder`."""
    if not sees_currency(context.signed_in, context.runtime.catalogue, currency):
        return None
    found = await of_holder(context, holder_id, as_of=as_of)
    mine = (figures for figures in found if figures.currency == currency)
    return next(mine, WalletFigures(holder_id, currency, available=0, held=0))


async def now(context: Context, holder_id: UUID, currency: str) -> WalletFigures | None:
    """As `one`, for the answer to a mutation: read now, and together with the calls that ask at the same time."""
    if not sees_currency(context.signed_in, context.runtime.catalogue, currency):
        return None
    found = await context.house.wallets.load(WalletKey(holder_id, currency, context.as_of))
    return found[0] if found else WalletFigures(holder_id, currency, available=0, held=0)


def global_id(key: WalletKey) -> str:
    """The id of a wallet. One of the past has its own, with the moment in it: clients keep things by their ids."""
    moment = f"{PAST}{key.as_of.isoformat()}" if key.past else ""
    return ids.encode("Wallet", key.holder_id, key.currency + moment)


async def by_global_id(context: Context, rest: bytes) -> tuple[WalletFigures, WalletKey] | None:
    """The wallet of a global id, without its kind."""
    try:
        holder_id = UUID(bytes=rest[:16])
        currency, _, moment = rest[16:].decode().partition(PAST)
        as_of = datetime.fromisoformat(moment) if moment else None
        if (member := await context.loaders.members.load(holder_id)) is not None:
            holder_id = member.id
        elif await context.loaders.pools.load(holder_id) is None:
            return None
        figures = await one(context, holder_id, currency, as_of)
    except (ValueError, InvalidInput):
        return None
    return None if figures is None else (figures, key_of(context, figures, as_of))


async def in_reach(context: Context, holder_id: UUID) -> bool:
    """Whether a holder, a member or a pool, is in reach."""
    if await context.loaders.members.load(holder_id) is not None:
        return True
    return await context.loaders.pools.load(holder_id) is not None


def key_of(context: Context, figures: WalletFigures, as_of: datetime | None = None) -> WalletKey:
    """By what more is asked of a wallet, as it is now or as it was then."""
    if as_of is None:
        return WalletKey(figures.holder_id, figures.currency, context.as_of)
    return WalletKey(figures.holder_id, figures.currency, as_of, context.past)


async def lots_of(context: Context, key: WalletKey, asked: Window) -> Page[LotRow]:
    """A page of a wallet's live lots, in the order they are spent."""
    loader = asof.lots(context, asked) if key.past else context.loaders.lots(asked)
    return await loader.load(key)


async def expiries_of(context: Context, key: WalletKey, size: int) -> list[tuple[date, int]]:
    """The next `size` dates on which points of a wallet expire."""
    loader = asof.expiries(context, size) if key.past else context.loaders.expiries(size)
    return await loader.load(key)


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
