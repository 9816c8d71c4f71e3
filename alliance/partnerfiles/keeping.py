"""What a match found is kept: the outcome of each line, a break for each that differs, and what became of others.

All of it in one transaction of the caller, from the tables of `alliance.partnerfiles.matching`.
"""
# ruff: noqa: S608 (statements are made of our own names)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.partnerfiles.model import FileStatus, Outcome, PartnerFile, PartnerLine, PartnerMatch
from domain.events.commands import add_events
from domain.events.kinds import EventKind
from domain.events.model import NewEvent
from domain.events.progress import moved

BY_MATCH = "reconciliation"
"""Who closes a break that a later file or cycle matched, or that went with its file."""


@dataclass(slots=True)
class Totals:
    """What the lines came to, by outcome: how many of theirs and ours, and their sums in millionths."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def tolerated(self) -> int:
        """What matched lines differ by all the same."""
        matched = self.outcomes.get(Outcome.MATCHED, {})
        return int(matched.get("theirsSum", 0)) - int(matched.get("oursSum", 0))

    def count(self, side: str) -> int:
        """Lines of `theirs` or `ours`."""
        return sum(one[side] for one in self.outcomes.values())


async def totals(session: AsyncSession) -> Totals:
    """The outcomes. Raises RuntimeError unless each line has exactly one."""
    made = Totals()
    for side, key in (("theirs", "line_no"), ("ours", "n")):
        settled = text(f"""
            SELECT s.outcome, count(*), coalesce(sum(l.amount), 0) FROM {side} l
            JOIN settled_{side} s USING ({key}) GROUP BY 1""")
        for outcome, count, amount in await session.execute(settled):
            one = made.outcomes.setdefault(outcome, {"theirs": 0, "ours": 0, "theirsSum": "0", "oursSum": "0"})
            one[side], one[f"{side}Sum"] = count, str(int(amount))
        lines = await session.scalar(text(f"SELECT count(*) FROM {side}"))
        if made.count(side) != lines:
            raise RuntimeError(f"{made.count(side)} outcomes for {lines} lines of {side}")
    return made


async def keep(
    session: AsyncSession, file: PartnerFile, superseded: Sequence[UUID], due_at: datetime | None, as_of: datetime
) -> None:
    """Lines, breaks, and what the file supersedes."""
    named = {
        "file": file.id,
        "merchant": file.merchant_id,
        "cycle": file.cycle_id,
        "superseded": list(superseded),
        "due_at": due_at,
        "as_of": as_of,
    }
    for table in (PartnerLine, PartnerMatch):  # of a file that was superseded, and is sent again after all
        await session.execute(delete(table).where(table.file_id == file.id))
    for statement in (_LINES, _MATCHES, _BREAKS, _GROUPED_BREAKS, _OUR_BREAKS, *_CLOSE_TIMING):
        await session.execute(text(statement), _only(statement, named))
    if superseded:
        for statement in (_WORKED, _INHERIT, _SUPERSEDE):
            await session.execute(text(statement), _only(statement, named))
        gone = update(PartnerFile).where(PartnerFile.id.in_(superseded))
        await session.execute(gone.values(status=FileStatus.SUPERSEDED, superseded_by=file.id))


def _only(statement: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if f":{name}" in statement}


_LINES = """
INSERT INTO partner_line (file_id, line_no, key, order_ref, occurred_on, amount, outcome, pass_no, holder_id,
                          operation_id, seq)
SELECT :file, t.line_no, t.key, t.order_ref, t.day, t.amount, s.outcome, s.pass,
       coalesce(o.holder_id, n.holder_id), coalesce(o.operation_id, n.operation_id), coalesce(o.seq, n.seq)
FROM theirs t JOIN settled_theirs s USING (line_no)
LEFT JOIN found f USING (line_no) LEFT JOIN ours o ON o.n = f.n LEFT JOIN near n ON n.n = s.near
"""
_MATCHES = """
INSERT INTO partner_match (file_id, operation_id, seq, holder_id, line_no)
SELECT :file, o.operation_id, o.seq, o.holder_id, min(g.line_no) FROM grouped g JOIN ours o USING (n) GROUP BY 2, 3, 4
"""

_HEAD = """
INSERT INTO recon_break (id, merchant_id, cycle_id, file_id, opened_at, due_at, outcome, other_id, key, line_no,
                         holder_id, operation_id, seq, ours, theirs, order_ref, occurred_on)
SELECT uuidv7(), :merchant, :cycle, :file, :as_of,
       CASE WHEN {outcome} = 'TIMING' THEN CAST(:due_at AS timestamptz) END, {outcome},"""

_BREAKS = f"""{_HEAD.format(outcome="s.outcome")}
       coalesce(t.other_id, o.other_id, n.other_id), t.key, t.line_no, coalesce(o.holder_id, n.holder_id),
       coalesce(o.operation_id, n.operation_id), coalesce(o.seq, n.seq), coalesce(o.amount, n.amount), t.amount,
       coalesce(t.order_ref, o.order_ref, n.order_ref), coalesce(t.day, o.day, n.day)
FROM settled_theirs s JOIN theirs t USING (line_no)
LEFT JOIN found f USING (line_no) LEFT JOIN ours o ON o.n = f.n LEFT JOIN near n ON n.n = s.near
WHERE s.outcome <> 'MATCHED' AND NOT EXISTS (SELECT FROM grouped g WHERE g.line_no = s.line_no)
ORDER BY t.line_no
"""
# One for all lines that were compared by their sum; it names our line only if that is one.
_GROUPED_BREAKS = f"""{_HEAD.format(outcome="g.outcome")}
       g.other_id, t.key, g.line_no, o.holder_id, o.operation_id, o.seq, g.ours, g.theirs, t.order_ref, t.day
FROM (SELECT outcome, min(line_no) AS line_no, CASE WHEN count(DISTINCT n) = 1 THEN min(n) END AS n,
             min(other_id::text)::uuid AS other_id, sum(DISTINCT_ours) AS ours, sum(DISTINCT_theirs) AS theirs
      FROM (SELECT g.outcome, g.line_no, g.n, o.other_id,
                   CASE WHEN row_number() OVER (PARTITION BY g.n ORDER BY g.line_no) = 1 THEN o.amount ELSE 0 END
                       AS DISTINCT_ours,
                   CASE WHEN row_number() OVER (PARTITION BY g.line_no ORDER BY g.n) = 1 THEN t.amount ELSE 0 END
                       AS DISTINCT_theirs,
                   CASE WHEN count(*) OVER (PARTITION BY g.line_no) > 1 THEN g.line_no ELSE -g.n END AS one
            FROM grouped g JOIN ours o USING (n) JOIN theirs t USING (line_no)) AS each
      WHERE outcome <> 'MATCHED' GROUP BY one, outcome) AS g
JOIN theirs t USING (line_no) LEFT JOIN ours o ON o.n = g.n
""".replace("DISTINCT_", "whole_")
_OUR_BREAKS = f"""{_HEAD.format(outcome="s.outcome")}
       o.other_id, NULL, NULL, o.holder_id, o.operation_id, o.seq, o.amount, NULL, o.order_ref, o.day
FROM settled_ours s JOIN left_ours o USING (n)
ORDER BY o.n
"""

_CLOSED = "status = 'MATCHED', closed_at = :as_of, closed_by = 'reconciliation'"
_CLOSE_TIMING = (
    # Theirs came a period after ours, which was missing there: with this line both have it.
    f"""WITH there AS (
        UPDATE recon_break b SET {_CLOSED}, why = 'in the file of a later period'
        FROM settled_theirs s JOIN near n ON n.n = s.near
        WHERE b.merchant_id = :merchant AND b.operation_id = n.operation_id AND b.seq = n.seq AND b.line_no IS NULL
          AND b.status = 'OPEN' AND b.file_id <> :file RETURNING b.operation_id, b.seq)
    UPDATE recon_break b SET {_CLOSED}, why = 'booked in an earlier period' FROM there
    WHERE b.file_id = :file AND b.operation_id = there.operation_id AND b.seq = there.seq""",
    # Ours came a period after theirs, which was missing here.
    f"""UPDATE recon_break b SET {_CLOSED}, why = 'booked in a later period', ours = o.amount, holder_id = o.holder_id,
               operation_id = o.operation_id, seq = o.seq, other_id = o.other_id
        FROM closing c JOIN ours o USING (n) WHERE b.id = c.id""",
    # Ours lies where an earlier file's timing line said that it is: what waited for this is over.
    f"""UPDATE recon_break b SET {_CLOSED}, why = 'booked in a later period'
        FROM settled_ours s JOIN ours o USING (n)
        WHERE s.outcome = 'TIMING' AND b.merchant_id = :merchant AND b.operation_id = o.operation_id AND b.seq = o.seq
          AND b.outcome = 'TIMING' AND b.line_no IS NOT NULL AND b.status = 'OPEN' AND b.file_id <> :file""",
)

_SAME = """was.file_id = ANY(:superseded) AND was.outcome = b.outcome AND b.file_id = :file
    AND was.theirs IS NOT DISTINCT FROM b.theirs AND was.ours IS NOT DISTINCT FROM b.ours
    AND (b.operation_id IS NOT NULL AND was.operation_id = b.operation_id AND was.seq = b.seq
         OR b.operation_id IS NULL AND was.operation_id IS NULL
            AND was.key IS NOT DISTINCT FROM b.key AND was.order_ref IS NOT DISTINCT FROM b.order_ref)"""
# What was worked stays as it is, and is not opened again.
_WORKED = f"""DELETE FROM recon_break b USING recon_break was
    WHERE {_SAME} AND was.status IN ('CLAIMED', 'ADJUSTED', 'WRITTEN_OFF')"""
# A break that the corrected file has as well goes on: with its owner, and its age.
_INHERIT = f"""UPDATE recon_break b SET owner_id = was.owner_id, opened_at = was.opened_at FROM recon_break was
    WHERE {_SAME} AND was.status = 'OPEN'"""
_SUPERSEDE = """UPDATE recon_break SET status = 'SUPERSEDED', closed_at = :as_of, closed_by = 'reconciliation',
           why = 'another file came for the period'
    WHERE file_id = ANY(:superseded) AND status = 'OPEN'"""


async def conclude(
    session: AsyncSession, file: PartnerFile, values: Mapping[str, Any], alliance_id: UUID, number: int, as_of: datetime
) -> None:
    """The file is DONE, with these figures; its sender is told."""
    done = {"status": FileStatus.DONE, "finished_at": as_of, "refusal": None, **values}
    await session.execute(update(PartnerFile).where(PartnerFile.id == file.id).values(done))
    await moved(session, file.id)
    if file.dry_run:
        return
    outcomes: Mapping[str, Mapping[str, Any]] = values["outcomes"]
    differing = sum(
        max(one["theirs"], one["ours"]) for name, one in outcomes.items() if name != Outcome.MATCHED
    )  # fmt: skip
    matched = outcomes.get(Outcome.MATCHED, {}).get("theirs", 0)
    data = {"file": str(file.id), "merchant": str(file.merchant_id), "number": number, "lines": values["lines"]}
    data |= {"matched": matched, "differing": differing, "asOf": as_of.isoformat()}
    event = NewEvent(alliance_id, EventKind.PARTNER_FILE_RECONCILED, data, (file.merchant_id,))
    await add_events(session, [event])


async def progressed(session: AsyncSession, id_: UUID, step: str, done: int, total: int) -> None:
    """How far it is."""
    far = {"step": step, "done": done, "total": total}
    await session.execute(update(PartnerFile).where(PartnerFile.id == id_).values(far))
    await moved(session, id_)


async def open_breaks(session: AsyncSession, file_id: UUID) -> int:
    """How many of a file's breaks are open."""
    open_ = "SELECT count(*) FROM recon_break WHERE file_id = :file AND status = 'OPEN'"
    return int(await session.scalar(text(open_), {"file": file_id}) or 0)
