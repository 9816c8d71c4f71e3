"""What is kept for a time of the work in the background: what the clock started, and what was cut into many jobs."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# The newest of each name says what was started last, however long ago.
_RUNS = text("""
    DELETE FROM scheduled_run WHERE ctid = ANY(ARRAY(
        SELECT r.ctid FROM scheduled_run r
        WHERE r.due_at < :before AND EXISTS (
            SELECT FROM scheduled_run later WHERE later.name = r.name AND later.due_at > r.due_at)
        LIMIT :size))""")

_GROUPS = text("""
    DELETE FROM job_group WHERE ctid = ANY(ARRAY(
        SELECT g.ctid FROM job_group g
        WHERE g.started_at < :before AND NOT EXISTS (SELECT FROM job j WHERE j.group_id = g.id)
        LIMIT :size))""")


async def forget_runs(session: AsyncSession, before: datetime, size: int) -> int:
    """Delete at most `size` of either that are older; how many of the larger number. The last run of a name stays, and
    so does a group of which a job is left."""
    counts = []
    for statement in (_RUNS, _GROUPS):
        deleted = await session.execute(statement, {"before": before, "size": size})
        counts.append(int(deleted.rowcount))  # type: ignore[attr-defined]
    return max(counts)
