"""Lines that lay in the period before or after, or might still come, are looked at again whenever a cycle is closed.

What is found in a closed cycle is matched. What was not found after two cut-offs is a break like others (A11).
"""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.events.commands import add_job

CUT_OFFS = 2

_CLOSED = "status = 'MATCHED', closed_at = :as_of, closed_by = 'reconciliation'"

_SOME = "SELECT EXISTS (SELECT FROM recon_break WHERE closed_at IS NULL AND outcome IN ('TIMING', 'MISSING_HERE'))"

# Where the other side's line is known, all that it waited for is that its cycle is closed.
_THERE = f"""
UPDATE recon_break b SET {_CLOSED}, why = 'in cycle ' || n.number
FROM obligation o JOIN settlement_cycle n ON n.id = o.cycle_id
WHERE b.status = 'OPEN' AND b.outcome = 'TIMING' AND b.line_no IS NOT NULL
  AND o.holder_id = b.holder_id AND o.operation_id = b.operation_id AND o.seq = b.seq
  AND n.status NOT IN ('OPEN', 'ABORTED')
"""  # noqa: S608 - our own words

# A line of theirs that was not here: it may have been booked since, of the same order and amount, and be nobody else's.
_CAME = f"""
WITH waiting AS MATERIALIZED (
    SELECT b.id, b.merchant_id, b.other_id, b.order_ref, b.theirs, c.number,
           row_number() OVER (PARTITION BY b.merchant_id, b.order_ref, b.theirs ORDER BY b.id) AS rank
    FROM recon_break b JOIN settlement_cycle c ON c.id = b.cycle_id
    WHERE b.status = 'OPEN' AND b.outcome IN ('TIMING', 'MISSING_HERE') AND b.line_no IS NOT NULL
      AND b.operation_id IS NULL AND b.order_ref IS NOT NULL
      AND c.number >= (SELECT max(number) FROM settlement_cycle) - {CUT_OFFS + 1}),
came AS (
    SELECT w.id, o.*, n.number AS cycle,
           CASE WHEN o.creditor_id = w.merchant_id THEN o.amount ELSE -o.amount END AS ours,
           CASE WHEN o.creditor_id = w.merchant_id THEN o.debtor_id ELSE o.creditor_id END AS other,
           row_number() OVER (PARTITION BY w.id ORDER BY o.operation_id, o.seq) AS place
    FROM waiting w
    JOIN settlement_cycle n ON n.number BETWEEN w.number - 1 AND w.number + 1 AND n.status NOT IN ('OPEN', 'ABORTED')
    JOIN obligation o ON o.cycle_id = n.id AND o.merchant_id = w.merchant_id AND o.order_ref = w.order_ref
     AND w.merchant_id IN (o.debtor_id, o.creditor_id)
     AND CASE WHEN o.creditor_id = w.merchant_id THEN o.amount ELSE -o.amount END = w.theirs
     AND coalesce(w.other_id IN (o.debtor_id, o.creditor_id), true)
    WHERE NOT EXISTS (
        SELECT FROM partner_file f JOIN partner_line p ON p.file_id = f.id
        WHERE f.merchant_id = w.merchant_id AND f.cycle_id = n.id AND f.status = 'DONE'
          AND p.operation_id = o.operation_id AND p.seq = o.seq)
      AND NOT EXISTS (
        SELECT FROM partner_file f JOIN partner_match p ON p.file_id = f.id
        WHERE f.merchant_id = w.merchant_id AND f.cycle_id = n.id AND f.status = 'DONE'
          AND p.operation_id = o.operation_id AND p.seq = o.seq)
      AND NOT EXISTS (
        SELECT FROM recon_break t WHERE t.operation_id = o.operation_id AND t.seq = o.seq
          AND t.merchant_id = w.merchant_id AND t.line_no IS NOT NULL AND t.status <> 'SUPERSEDED')),
one AS (SELECT c.* FROM came c JOIN waiting w ON w.id = c.id AND w.rank = c.place)
UPDATE recon_break b SET {_CLOSED}, why = 'in cycle ' || one.cycle, holder_id = one.holder_id,
       operation_id = one.operation_id, seq = one.seq, ours = one.ours, other_id = one.other
FROM one WHERE b.id = one.id
RETURNING b.merchant_id, b.operation_id, b.seq
"""  # noqa: S608
# Where that cycle's own file is there already, our line was missing in it: that break is over as well.
_BOTH = f"""
UPDATE recon_break b SET {_CLOSED}, why = 'in the file of another period'
FROM recon_break t
WHERE b.status = 'OPEN' AND b.outcome IN ('MISSING_THERE', 'TIMING') AND b.line_no IS NULL
  AND t.merchant_id = b.merchant_id AND t.operation_id = b.operation_id AND t.seq = b.seq
  AND t.line_no IS NOT NULL AND t.status = 'MATCHED'
"""  # noqa: S608

_BREAKS = f"""
UPDATE recon_break b SET due_at = NULL,
       outcome = CASE WHEN b.line_no IS NULL THEN 'MISSING_THERE' ELSE 'MISSING_HERE' END
FROM settlement_cycle c
WHERE c.id = b.cycle_id AND b.status = 'OPEN' AND b.outcome = 'TIMING'
  AND (SELECT count(*) FROM settlement_cycle n WHERE n.number > c.number AND n.status <> 'OPEN') >= {CUT_OFFS}
"""  # noqa: S608


async def ask(session: AsyncSession, as_of: datetime) -> None:
    """A cycle is closed: have those looked at again that wait for it, if there are any."""
    if await session.scalar(text(_SOME)):
        await add_job(session, "partner_timing", {"as_of": as_of.isoformat()}, queue="bulk")


async def look_again(session: AsyncSession, as_of: datetime) -> tuple[int, int]:
    """Match what came; how many were matched, and how many timing lines are breaks from now on."""
    named = {"as_of": as_of}
    matched = 0
    for statement in (_THERE, _CAME, _BOTH):
        matched += (await session.execute(text(statement), named)).rowcount  # type: ignore[attr-defined]
    broken = (await session.execute(text(_BREAKS))).rowcount  # type: ignore[attr-defined]
    return matched, broken
