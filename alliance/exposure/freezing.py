"""Freezing a merchant, by hand, and restoring it (A5, A12, A16): the operator's, each in a transaction of the caller's.

From the commit on nothing new is issued or exchanged, in whichever process: postings take a new revision up under the
lock that the freeze has held. What was promised goes through; what others claim on it gives them no headroom.
"""

import uuid
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exposure.commands import withhold_again
from alliance.exposure.errors import MerchantFrozen, MerchantNotFrozen
from alliance.exposure.model import FREEZE_LOCK, FreezeKind, FreezeStep
from alliance.file.commands import lock, publish
from alliance.settlement.model import CYCLE_LOCK, CycleStatus, SettlementCycle
from domain.errors import InvalidInput
from domain.events.commands import add_event
from domain.events.kinds import EventKind
from domain.programs.model import MerchantRow


async def freeze(session: AsyncSession, merchant_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime) -> None:
    """Have a merchant issue and exchange nothing new until it is restored. Raises InvalidInput, MerchantFrozen."""
    merchant = await _taken(session, merchant_id, why)
    if merchant.frozen_since is not None:
        raise MerchantFrozen(merchant=merchant.code, path=("merchant",))
    merchant.frozen_since = as_of
    await _record(session, merchant, FreezeKind.FROZEN, who, why, as_of)


async def restore(session: AsyncSession, merchant_id: uuid.UUID, *, who: uuid.UUID, why: str, as_of: datetime) -> None:
    """Let a merchant take part again. Raises InvalidInput, MerchantNotFrozen."""
    merchant = await _taken(session, merchant_id, why)
    if merchant.frozen_since is None:
        raise MerchantNotFrozen(merchant=merchant.code, path=("merchant",))
    merchant.frozen_since = None
    await _record(session, merchant, FreezeKind.RESTORED, who, why, as_of)


async def _taken(session: AsyncSession, merchant_id: uuid.UUID, why: str) -> MerchantRow:
    if not why.strip():
        raise InvalidInput(reason="say why", path=("reason",))
    return await stand_still(session, merchant_id)


async def stand_still(session: AsyncSession, merchant_id: uuid.UUID) -> MerchantRow:
    """The merchant; until the transaction ends nobody else freezes or restores one, or nets, settles or aborts."""
    await lock(session)
    await session.execute(select(func.pg_advisory_xact_lock(*FREEZE_LOCK)))
    return await session.get_one(MerchantRow, merchant_id, populate_existing=True)


async def _record(
    session: AsyncSession, merchant: MerchantRow, kind: FreezeKind, who: uuid.UUID, why: str, as_of: datetime
) -> None:
    """One step in the merchant's history, and an event. Postings stand still for the end of it alone."""
    last = select(func.coalesce(func.max(FreezeStep.seq), 0)).where(FreezeStep.merchant_id == merchant.id)
    cycle = select(SettlementCycle.id).where(
        SettlementCycle.status == CycleStatus.OPEN, SettlementCycle.closes_at.is_(None)
    )
    seq = (await session.scalars(last)).one() + 1
    step = FreezeStep(merchant_id=merchant.id, seq=seq, kind=kind.value)
    step.who, step.why, step.as_of, step.cycle_id = who, why, as_of, await session.scalar(cycle)
    session.add(step)
    told = {"merchant": str(merchant.id), "asOf": as_of.isoformat()}
    await add_event(session, merchant.id, EventKind[f"MERCHANT_{kind}"], told, merchant.id)
    await session.flush()
    await follow(session, as_of)


async def follow(session: AsyncSession, as_of: datetime) -> None:
    """Let every process hear of what was changed about a merchant, and what is withheld follow; nothing is posted from
    here to the end of the transaction."""
    await publish(session)
    await session.execute(select(func.pg_advisory_xact_lock(*CYCLE_LOCK)))
    await withhold_again(session, as_of)
