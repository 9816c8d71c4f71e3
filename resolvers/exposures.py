"""Caps and positions: a merchant sees its own, the operator and auditors all (A14)."""

from uuid import UUID

from alliance.exposure import queries
from alliance.exposure.model import Exposure, ExposureAlert
from domain.errors import InvalidInput, NotFound
from resolvers.context import Context
from resolvers.pages import Page, Window, cut, page

EXPOSURE_SHAPE = (str,)
ALERT_SHAPE = (UUID,)


async def one(context: Context, code: str | None) -> Exposure | None:
    """A merchant's, by default the caller's own; None without a cap, or out of reach. Raises NotFound, InvalidInput."""
    own = context.own_merchant_id
    if code is None and own is None:
        raise InvalidInput(reason="say which merchant's", path=("merchant",))
    merchant = context.runtime.catalogue.merchants.get(code) if code is not None else None
    if code is not None and merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    merchant_id = own if merchant is None else merchant.id
    if merchant_id is None or own not in (None, merchant_id):
        return None
    async with context.runtime.database.reader() as session:
        return (await queries.by_merchants(session, [merchant_id])).get(merchant_id)


async def listed(context: Context, asked: Window) -> Page[Exposure]:
    """Those in reach, by the code of the merchant. There are no more than merchants."""
    merchants, own = context.runtime.catalogue.merchants_by_id, context.own_merchant_id
    async with context.runtime.database.reader() as session:
        found = await queries.by_merchants(session, merchants if own is None else [own])

    def place(row: Exposure) -> tuple[str]:
        return (merchants[row.merchant_id].code,)

    return cut(asked, sorted(found.values(), key=place), place)


async def alerts(context: Context, merchant_id: UUID, asked: Window) -> Page[ExposureAlert]:
    """A merchant's alerts, newest first. Raises InvalidInput for last or before."""
    if asked.backward or asked.before is not None:
        raise InvalidInput(reason="alerts are listed forwards: give first and after", path=("last",))
    async with context.runtime.database.reader() as session:
        found = await queries.alerts(session, merchant_id, asked.size + 1, asked.after[0] if asked.after else None)

    async def total() -> int:
        async with context.runtime.database.reader() as session:
            return await queries.count_alerts(session, merchant_id)

    return page(asked, list(found), lambda row: (str(row.id),), total)
