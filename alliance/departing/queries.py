"""Reading exits, and what is still open of a merchant that leaves."""

import uuid
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.departing.model import ExitStatus, MerchantExit


async def latest(session: AsyncSession, merchant_id: uuid.UUID) -> MerchantExit | None:
    """The last notice that a merchant gave, withdrawn or not."""
    mine = select(MerchantExit).where(MerchantExit.merchant_id == merchant_id)
    return await session.scalar(mine.order_by(MerchantExit.id.desc()).limit(1))


_OPEN = text("""
    SELECT reason FROM (VALUES
        ('CYCLES', EXISTS (SELECT FROM obligation o JOIN settlement_cycle c ON c.id = o.cycle_id
                           WHERE c.status NOT IN ('SETTLED', 'ABORTED')
                             AND :merchant IN (o.debtor_id, o.creditor_id))
                OR EXISTS (SELECT FROM net_position p JOIN settlement_cycle c ON c.id = p.cycle_id
                           WHERE c.status NOT IN ('SETTLED', 'ABORTED') AND p.merchant_id = :merchant
                             AND p.amount <> p.settled + p.carried)),
        ('DISPUTES', EXISTS (SELECT FROM dispute WHERE decided_at IS NULL AND :merchant IN (raiser_id, against_id))),
        ('PROMISES', EXISTS (SELECT FROM hold WHERE status = 'OPEN'
                                                  AND jsonb_exists(reserves, CAST(:merchant AS text)))),
        ('DEFAULT', EXISTS (SELECT FROM merchant WHERE id = :merchant AND defaulted_since IS NOT NULL))
    ) AS known (reason, open) WHERE open ORDER BY reason
""")


async def obstacles(session: AsyncSession, row: MerchantExit, as_of: datetime) -> list[str]:
    """What keeps a merchant from being gone: RUN_OFF, CYCLES, DISPUTES, PROMISES (holds), DEFAULT, CLAIMS."""
    found = list(await session.scalars(_OPEN, {"merchant": row.merchant_id}))
    if as_of < row.runs_off_to:
        found.append("RUN_OFF")
    if as_of < row.claims_until:
        found.append("CLAIMS")
    return sorted(found)


def status_of(row: MerchantExit, open_: list[str], as_of: datetime) -> ExitStatus:
    """Where it stands."""
    if row.withdrawn_at is not None:
        return ExitStatus.WITHDRAWN
    if as_of < row.ends_at:
        return ExitStatus.ANNOUNCED
    if as_of < row.runs_off_to:
        return ExitStatus.RUNNING_OFF
    return ExitStatus.SETTLING if open_ else ExitStatus.GONE


async def is_gone(session: AsyncSession, merchant_id: uuid.UUID, as_of: datetime) -> bool:
    """Whether a merchant left and nothing is open any more: then what it promised is not needed."""
    row = await latest(session, merchant_id)
    if row is None or row.withdrawn_at is not None:
        return False
    return status_of(row, await obstacles(session, row, as_of), as_of) == ExitStatus.GONE
