"""What has not returned to zero; and the reconciliations that were."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.reconciliation.model import Outstanding, Reconciliation

NIGHT, HOUR = timedelta(days=1), timedelta(hours=1)
"""How late the night's work may be, and what is done every few minutes, before somebody is told."""

_OUTSTANDING = {
    "points past their end": """
        SELECT currency AS unit, count(*), sum(remaining), min(ends) FROM (
            SELECT l.currency, l.remaining, coalesce(s.expires_at, l.expires_at) AS ends FROM lot l
            LEFT JOIN sliding_expiry s ON s.holder_id = l.holder_id AND s.id = l.sliding_id
            WHERE NOT l.spent AND l.remaining > l.held) AS open
        WHERE ends <= :night GROUP BY 1""",
    "points that wait past their day": """
        SELECT currency AS unit, count(*), sum(remaining), min(matures_at) FROM pending_grant
        WHERE NOT done AND room_of IS NULL AND matures_at <= :night GROUP BY 1""",
    "holds past their time": """
        SELECT currency AS unit, count(*), sum(points), min(expires_at) FROM hold
        WHERE status = 'OPEN' AND expires_at <= :hour GROUP BY 1""",
    "cycles that are not closed": """
        SELECT 'cycles' AS unit, count(*), count(*), min(closes_at) FROM settlement_cycle
        WHERE status IN ('OPEN', 'CLOSED') AND closes_at <= :hour""",
    "cycles past the time to object": """
        SELECT 'cycles' AS unit, count(*), count(*), min(objections_until) FROM settlement_cycle
        WHERE status IN ('STATED', 'CONFIRMED', 'NETTED') AND objections_until <= :hour""",
    "payments past their day": """
        SELECT 'minor units' AS unit, count(*), sum(amount), min(payments_due)
        FROM payment JOIN settlement_cycle c ON c.id = cycle_id
        WHERE payment.status = 'PLANNED' AND c.status = 'SETTLING' AND payments_due <= :as_of""",
    "breaks that are open": """
        SELECT 'millionths' AS unit, count(*), sum(abs(coalesce(theirs, 0) - coalesce(ours, 0))), min(opened_at)
        FROM recon_break WHERE status = 'OPEN' AND (due_at IS NULL OR due_at <= :as_of)""",
    "amounts under objection": """
        SELECT 'millionths' AS unit, count(*), sum(abs(amount)), min(raised_at)
        FROM objection WHERE released_in IS NULL""",
    "claims past their deadline": """
        SELECT 'millionths' AS unit, count(*), sum(abs(claimed)), min(due_at)
        FROM dispute WHERE decided_at IS NULL AND due_at <= :night""",
    "points taken or lost": """
        SELECT e.currency AS unit, count(*), -sum(e.amount), min(o.booked_at) FROM repair r
        JOIN entry e ON e.holder_id = r.holder_id AND e.operation_id = r.operation_id
        JOIN operation o ON o.holder_id = r.holder_id AND o.id = r.operation_id
        WHERE e.counter_account = 'SUSPENSE' GROUP BY 1 HAVING sum(e.amount) <> 0""",
    "jobs that failed for good": """
        SELECT actor AS unit, count(*), count(*), min(failed_at) FROM job WHERE failed_at IS NOT NULL GROUP BY 1""",
}
"""Each (unit, how many, how much, the oldest)."""


async def outstanding(session: AsyncSession, as_of: datetime) -> list[Outstanding]:
    """What should have come back to zero by `as_of` and has not."""
    times = {"as_of": as_of, "night": as_of - NIGHT, "hour": as_of - HOUR}
    found = []
    for what, sql in _OUTSTANDING.items():
        used = {name: time for name, time in times.items() if f":{name}" in sql}
        for unit, count, amount, since in await session.execute(text(f"{sql} ORDER BY 1"), used):
            if count:
                found.append(Outstanding(what, unit, count, int(amount), since))
    return found


async def reconciliations(session: AsyncSession, first: int, after: UUID | None = None) -> Sequence[Reconciliation]:
    """The newest, at most `first` of them; those older than `after`."""
    query = select(Reconciliation).order_by(Reconciliation.id.desc()).limit(first)
    if after is not None:
        query = query.where(Reconciliation.id < after)
    return (await session.scalars(query)).all()


async def reconciliation(session: AsyncSession, id_: UUID) -> Reconciliation | None:
    """The one of this id."""
    return await session.get(Reconciliation, id_)


async def count_reconciliations(session: AsyncSession) -> int:
    """How many there are in all."""
    return (await session.scalars(select(func.count()).select_from(Reconciliation))).one()


async def last_finished(session: AsyncSession) -> Reconciliation | None:
    """The newest that came to its end."""
    finished = select(Reconciliation).where(Reconciliation.finished_at.is_not(None))
    return await session.scalar(finished.order_by(Reconciliation.id.desc()).limit(1))
