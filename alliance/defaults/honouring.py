"""Points of a merchant in default that partners go on taking (A12): paid for by the honouring reserve, for its days.

Then everybody is told, and they are refused at partners. Each in a transaction of the caller's.
"""

import uuid
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import About
from alliance.defaults import queries
from alliance.defaults.commands import lose
from alliance.defaults.model import RESERVE_DRAWN, DefaultShare, MerchantDefault
from alliance.defaults.rules import Parts, drawn, split
from alliance.exposure.freezing import stand_still
from alliance.file.commands import publish
from alliance.settlement.rules import minor_unit
from alliance.treasury.commands import Entry, post
from alliance.treasury.model import MoneyAccount
from alliance.treasury.queries import balances
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.catalogue import Alliance
from domain.programs.model import MerchantRow

WHY = "points taken since the default"

# What was spent there since, less what was taken back of that; rights and fees are no points.
_TAKEN = text("""
    SELECT creditor_id, sum(amount) AS amount FROM obligation
    WHERE debtor_id = :merchant AND kind = 'SPEND' AND booked_at >= :since AND cycle_id IN (
        SELECT id FROM settlement_cycle WHERE number >= (SELECT number FROM settlement_cycle WHERE id = :cycle))
    GROUP BY 1 HAVING sum(amount) > 0
""")


async def pay_honoured(session: AsyncSession, alliance: Alliance, as_of: datetime) -> int:
    """Pay partners of merchants in default what they took of their points since, as far as the reserve goes.

    How much that was, in minor units. Doing it again pays nothing twice.
    """
    paid = 0
    for merchant_id in await _in_default(session):
        await stand_still(session, merchant_id)
        defaults = await queries.open_of(session, merchant_id)
        if defaults:
            paid += await _pay(session, alliance, defaults[0], as_of)
    return paid


async def _pay(session: AsyncSession, alliance: Alliance, default: MerchantDefault, as_of: datetime) -> int:
    unit = minor_unit(alliance.settlement_currency)
    asked = {"merchant": default.merchant_id, "since": default.booked_at, "cycle": default.cycle_id}
    shares = {row.merchant_id: row.honoured for row in (await queries.shares(session, [default.id]))[default.id]}
    due: Parts = {}
    for party, amount in await session.execute(_TAKEN, asked):
        if (left := int(amount) // unit - shares.get(party, 0)) > 0:
            due[party] = left
    reserve = await _reserve(session)
    whole = min(sum(due.values()), sum(reserve.values()))
    if not whole:
        return 0
    paid = drawn(whole, due)
    own = min(whole, reserve.pop(default.merchant_id, 0))
    entries: list[Entry] = [(MoneyAccount.RESERVE, default.merchant_id, own)] if own else []
    entries += [(MoneyAccount.RESERVE, party, part) for party, part in split(whole - own, reserve).items()]
    entries.append((MoneyAccount.BANK, alliance.id, -whole))
    about = About(alliance.id, WHY, as_of)
    await post(
        session, kind=RESERVE_DRAWN, entries=entries, who=about.who, why=about.why, as_of=as_of, cause_id=default.id
    )
    rows = [{"default_id": default.id, "merchant_id": party, "honoured": part} for party, part in paid.items()]
    more = insert(DefaultShare).values(rows)
    await session.execute(
        more.on_conflict_do_update(
            index_elements=["default_id", "merchant_id"],
            set_={"honoured": DefaultShare.honoured + more.excluded.honoured},
        )
    )
    owed = [(default.merchant_id, party, -part * unit) for party, part in paid.items()]
    await lose(session, alliance, default, owed, about)
    return whole


async def _reserve(session: AsyncSession) -> Parts:
    found = await balances(session, accounts=(MoneyAccount.RESERVE,))
    return {party: -balance for (_, party), balance in found.items() if balance}


async def end_honouring(session: AsyncSession, as_of: datetime) -> list[uuid.UUID]:
    """Have points of merchants refused at partners whose days of honouring are over, and say so: whose they are."""
    over = (
        select(MerchantDefault.merchant_id)
        .where(MerchantDefault.ended_at.is_(None))
        .group_by(MerchantDefault.merchant_id)
        .having(func.min(MerchantDefault.honoured_until) <= as_of)
    )
    ended = []
    everybody = (await session.scalars(select(MerchantRow.id).order_by(MerchantRow.id))).all()
    for merchant_id in sorted(await session.scalars(over)):
        merchant = await stand_still(session, merchant_id)
        if merchant.defaulted_since is None or merchant.unhonoured_since is not None:
            continue
        merchant.unhonoured_since = as_of
        told = {"merchant": str(merchant_id), "asOf": as_of.isoformat()}
        await add_event(session, merchant_id, EventKind.HONOURING_ENDED, told, *everybody)
        ended.append(merchant_id)
    if ended:
        await session.flush()
        await publish(session)
    return ended


async def _in_default(session: AsyncSession) -> list[uuid.UUID]:
    return sorted(await session.scalars(select(MerchantRow.id).where(MerchantRow.defaulted_since.is_not(None))))
