"""Undoing a run: everything that it booked is reversed by the rules of any reversal (R18 to R22), in parts that may be
begun anew; what cannot be reversed stays, and says why.

The keys of lines that were undone are free again, and so are their orders: a corrected file may be fed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.commands import CLIENT
from alliance.accrual.errors import RunNotUndoable
from alliance.accrual.model import AccrualPosting, AccrualRun, AccrualUndo, RunStatus
from alliance.clearing.commands import reverse_request
from alliance.runtime import Runtime
from domain.errors import NotFound, Refusal
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from domain.events.progress import moved
from domain.ledger.errors import Unposted
from domain.ledger.request import Key, Outcome, Posted
from domain.ledger.reversals import Reverse

POSTINGS_A_JOB = 2000
POSTINGS_AT_ONCE = 500
EXAMPLES = 5

_SAME = b"undo"


class Booking(NamedTuple):
    """An operation of a run, and the line that it is of."""

    holder_id: UUID
    operation_id: UUID
    line: int
    key: str


@dataclass(slots=True)
class Foreseen:
    """What an undo would come to. `kept` counts what would stay by code, `lines` are the first of each code."""

    reversed: int = 0
    taken: int = 0
    shortfall: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, booking: Booking, outcome: Outcome) -> None:
        """Count an answer."""
        if isinstance(outcome, Posted):
            self.reversed += 1
            self.taken += outcome.data.get("taken", 0)
            self.shortfall += outcome.data.get("shortfall", 0)
            return
        self.kept[outcome.code] += 1
        lines = self.lines.setdefault(outcome.code, [])
        if len(lines) < EXAMPLES:
            lines.append(booking.line)


async def begin_undo(session: AsyncSession, run_id: UUID, *, who: str, why: str, as_of: datetime) -> AccrualRun:
    """From now on the run is being undone; a job sees to it. Raises NotFound, RunNotUndoable."""
    run = await undoable(session, run_id, lock=True)
    run.status = RunStatus.UNDOING
    await session.execute(insert(AccrualUndo).values(run_id=run_id, who=who, why=why, as_of=as_of))
    await add_jobs(session, [NewJob("undo_run", {"run": str(run_id)}, queue="bulk")])
    await moved(session, run_id)
    return run


async def undoable(session: AsyncSession, run_id: UUID, *, lock: bool = False) -> AccrualRun:
    """The run, if it may be undone. Raises NotFound, RunNotUndoable."""
    query = select(AccrualRun).where(AccrualRun.id == run_id)
    run = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if run is None:
        raise NotFound(what="run", path=("run",))
    if run.status not in (RunStatus.DONE, RunStatus.FAILED):
        raise RunNotUndoable(status=run.status, path=("run",))
    return run


async def foresee_undo(runtime: Runtime, run_id: UUID, as_of: datetime) -> Foreseen:
    """What undoing the run now would come to; writes nothing. Raises NotFound, RunNotUndoable."""
    made = Foreseen()
    async with runtime.database.session() as session:
        await undoable(session, run_id)
        query = select(AccrualPosting.holder_id, AccrualPosting.operation_id, AccrualPosting.line, AccrualPosting.key)
        query = query.where(AccrualPosting.run_id == run_id).order_by(AccrualPosting.holder_id, AccrualPosting.line)
        some: list[Booking] = []
        async for row in await session.stream(query.execution_options(yield_per=POSTINGS_AT_ONCE)):
            booking = Booking(*row)
            # All that is about one holder is decided together: one reversal leaves less for the next.
            if len(some) >= POSTINGS_AT_ONCE and booking.holder_id != some[-1].holder_id:
                await _foresee(runtime, made, run_id, some, as_of)
                some = []
            some.append(booking)
        if some:
            await _foresee(runtime, made, run_id, some, as_of)
    return made


async def _foresee(
    runtime: Runtime, made: Foreseen, run_id: UUID, bookings: Sequence[Booking], as_of: datetime
) -> None:
    asked = [_reversal(runtime, run_id, booking, as_of, None, dry_run=True) for booking in bookings]
    for booking, outcome in zip(bookings, await runtime.engine.foresee(asked), strict=True):
        made.add(booking, outcome)


async def cut_undo(session: AsyncSession, run_id: UUID) -> list[int]:
    """The first lines of ranges of so many postings as one job takes."""
    query = text("""
        SELECT DISTINCT line FROM (SELECT line, row_number() OVER (ORDER BY line) AS n
                                   FROM accrual_posting WHERE run_id = :run) AS numbered
        WHERE n % :many = 1 ORDER BY line
    """)
    return list(await session.scalars(query, {"run": run_id, "many": POSTINGS_A_JOB}))


async def undo_some(runtime: Runtime, run: AccrualRun, undo: AccrualUndo, first: int, before: int | None) -> bool:
    """Reverse some postings of a range of lines; whether there were any. In transactions of its own.

    A posting is reversed under a key of its own, so that one which was reversed and not noted is not reversed twice.
    """
    query = select(AccrualPosting.holder_id, AccrualPosting.operation_id, AccrualPosting.line, AccrualPosting.key)
    query = query.where(AccrualPosting.run_id == run.id, AccrualPosting.line >= first)
    query = query.where(AccrualPosting.undone_by.is_(None), AccrualPosting.kept.is_(None))
    if before is not None:
        query = query.where(AccrualPosting.line < before)
    async with runtime.database.session() as session:
        rows = await session.execute(query.order_by(AccrualPosting.line).limit(POSTINGS_AT_ONCE))
        bookings = [Booking(*row) for row in rows]
    if not bookings:
        return False
    asked = [_reversal(runtime, run.id, booking, undo.as_of, undo.why) for booking in bookings]
    outcomes = await runtime.engine.post_many(asked)
    if any(isinstance(outcome, Unposted) for outcome in outcomes):
        raise RuntimeError("some reversals could not be posted")  # it is tried again; what was posted has its keys
    async with runtime.database.transaction() as session:
        await _note(session, run, bookings, outcomes)
    return True


def _reversal(
    runtime: Runtime, run_id: UUID, booking: Booking, as_of: datetime, why: str | None, *, dry_run: bool = False
) -> Reverse:
    return reverse_request(
        runtime,
        holder_id=booking.holder_id,
        operation_id=booking.operation_id,
        occurred_at=as_of,
        as_of=as_of,
        key=Key(CLIENT, run_id, f"undo-{booking.operation_id}", _SAME),
        client_id=CLIENT,
        reason=why,
        dry_run=dry_run,
    )


async def _note(
    session: AsyncSession, run: AccrualRun, bookings: Sequence[Booking], outcomes: Sequence[Outcome]
) -> None:
    """Keep what became of these postings, count it, and free what was undone."""
    made = Foreseen()
    columns: dict[str, list[object]] = {name: [] for name in ("holders", "operations", "undone", "kept")}
    freed: list[Booking] = []
    for booking, outcome in zip(bookings, outcomes, strict=True):
        made.add(booking, outcome)
        undone = outcome.operation_id if isinstance(outcome, Posted) else None
        if undone is not None:
            freed.append(booking)
        kept = outcome.code if isinstance(outcome, Refusal) else None
        for column, value in zip(
            columns.values(), (booking.holder_id, booking.operation_id, undone, kept), strict=True
        ):
            column.append(value)
    await session.execute(_NOTE, columns)
    places = {"holders": [one.holder_id for one in freed], "operations": [one.operation_id for one in freed]}
    await session.execute(_FREE_ORDERS, places)
    keys = {"client": CLIENT, "subject": run.feed_id, "keys": [one.key for one in freed]}
    await session.execute(_FREE_KEYS, keys)
    counted = update(AccrualUndo).where(AccrualUndo.run_id == run.id)
    await session.execute(
        counted.values(
            reversed=AccrualUndo.reversed + made.reversed,
            taken=AccrualUndo.taken + made.taken,
            shortfall=AccrualUndo.shortfall + made.shortfall,
            kept=AccrualUndo.kept + made.kept.total(),
        )
    )
    await moved(session, run.id)


async def finish_undo(session: AsyncSession, run_id: UUID, as_of: datetime) -> bool:
    """The run is undone, if nothing of it is left to be; whether that is so now."""
    query = select(AccrualRun).where(AccrualRun.id == run_id).with_for_update()
    run = (await session.scalars(query)).one()
    left = select(AccrualPosting.line).where(
        AccrualPosting.run_id == run_id, AccrualPosting.undone_by.is_(None), AccrualPosting.kept.is_(None)
    )
    if run.status != RunStatus.UNDOING or (await session.execute(left.limit(1))).first() is not None:
        return False
    run.status = RunStatus.UNDONE
    await session.execute(update(AccrualUndo).where(AccrualUndo.run_id == run_id).values(finished_at=as_of))
    await moved(session, run_id)
    return True


_NOTE = text("""
    UPDATE accrual_posting p SET undone_by = said.undone, kept = said.kept
    FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[]), CAST(:undone AS uuid[]), CAST(:kept AS text[]))
        AS said (holder_id, operation_id, undone, kept)
    WHERE p.holder_id = said.holder_id AND p.operation_id = said.operation_id
""")

_FREE_KEYS = text("""
    DELETE FROM idempotency_key WHERE client_id = :client AND subject = :subject AND key = ANY(CAST(:keys AS text[]))
""")

_FREE_ORDERS = text("""
    DELETE FROM order_reference r USING operation o
    JOIN unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS undone (holder_id, id) USING (holder_id, id)
    WHERE r.merchant_id = o.merchant_id AND r.order_ref = o.order_ref AND r.kind = o.kind AND r.operation_id = o.id
""")
