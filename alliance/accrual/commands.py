"""What happens to a file: it is seen, taken, cut into parts, worked off part by part, and closed.

All in the caller's transaction; what is posted meanwhile is the intake's. A posting and the row that says which run
booked it are one transaction of the engine's, so that a part that is begun anew knows what is its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Table, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.errors import FileRepeated
from alliance.accrual.model import (
    AccrualPart,
    AccrualPosting,
    AccrualRefusal,
    AccrualRun,
    FeedFile,
    FeedRow,
    RunStatus,
)
from alliance.accrual.rules import Entry, FeedMapping
from alliance.intake.commands import Answer, Sender
from domain.base import new_id
from domain.errors import Refusal
from domain.events.commands import add_jobs
from domain.events.model import NewJob
from domain.events.progress import moved
from domain.ledger.request import Books, Effect, Needs

CLIENT = UUID("00000000-0000-7000-8000-0feed0000001")
"""The client that books what comes from files; the keys of a feed's lines have its id as their subject."""

WATCHER = "schedule"
"""Who starts a run that nobody asked for."""

REFUSALS_KEPT = timedelta(days=90)
"""How long a refused row can be downloaded; why it was refused is kept."""

_POSTING: Table = AccrualPosting.metadata.tables[AccrualPosting.__tablename__]


class Seen(NamedTuple):
    """A file in a feed's folder, now. `complete` says that whoever wrote it says so."""

    name: str
    size: int
    stamp: str
    complete: bool


class Cut(NamedTuple):
    """A file cut in parts, each (start, stop, line of its first row)."""

    digest: str
    columns: list[str]
    parts: list[tuple[int, int, int]]


@dataclass(slots=True)
class Booked:
    """Rides on a posting, and keeps which run booked it for which line."""

    run_id: UUID
    line: int
    key: str

    def needs(self, needs: Needs) -> None:
        """Nothing."""

    def ride(self, books: Books, effect: Effect) -> None:
        """The row."""
        if effect.booked:
            operation = effect.operation
            row = {"holder_id": operation["holder_id"], "operation_id": operation["id"]}
            effect.rows.append((_POSTING, row | {"run_id": self.run_id, "line": self.line, "key": self.key}))


@dataclass(slots=True)
class Tally:
    """What some entries came to."""

    rows: int = 0
    read: int = 0
    posted: int = 0
    duplicate: int = 0
    refused: int = 0


def sender_of(run: AccrualRun, secret: bytes) -> Sender:
    """Who sends the lines of a run: its feed, for its merchant; the operator let it set points, report
    returns, and grant and use rights."""
    return Sender(
        client_id=CLIENT,
        subject=run.feed_id,
        secret=secret,
        merchant_id=run.merchant_id,
        may_give=True,
        may_reverse=True,
        may_grant=True,
        may_use=True,
        corrects=True,
    )


async def take_files(
    session: AsyncSession, feed: FeedRow, found: Sequence[Seen], as_of: datetime, settle: timedelta, who: str = WATCHER
) -> list[UUID]:
    """Start a run for each file that is new, or another than it was, and is written whole; their ids.

    Whole is what is marked so, or has not changed since it was seen `settle` ago. While a run of the feed is being
    undone nothing is taken: what is fed again would meet what is not yet reversed.
    """
    await session.execute(select(FeedRow.id).where(FeedRow.id == feed.id).with_for_update())
    undoing = select(AccrualRun.id).where(AccrualRun.feed_id == feed.id, AccrualRun.status == RunStatus.UNDOING)
    if (await session.execute(undoing.limit(1))).first() is not None:
        return []
    names = [one.name for one in found]
    query = select(FeedFile).where(FeedFile.feed_id == feed.id, FeedFile.name.in_(names))
    known = {row.name: row for row in await session.scalars(query)}
    runs: list[dict[str, Any]] = []
    sightings: list[dict[str, Any]] = []
    for one in found:
        before = known.get(one.name)
        same = before is not None and before.stamp == one.stamp
        if same and before is not None and before.run_id is not None:
            continue
        since = before.seen_at if same and before is not None else as_of
        run_id = None
        if one.complete or (same and since + settle <= as_of):
            run_id = new_id()
            runs.append(_run(feed, one, run_id, as_of, who))
        elif same:
            continue
        sightings.append({"feed_id": feed.id, "name": one.name, "stamp": one.stamp, "seen_at": since, "run_id": run_id})
    if sightings:
        statement = insert(FeedFile)
        changes = {name: statement.excluded[name] for name in ("stamp", "seen_at", "run_id")}
        await session.execute(
            statement.on_conflict_do_update(index_elements=["feed_id", "name"], set_=changes), sightings
        )
    if runs:
        await session.execute(insert(AccrualRun), runs)
        await add_jobs(session, [NewJob("feed_file", {"run": str(run["id"])}, queue="bulk") for run in runs])
    return [run["id"] for run in runs]


def _run(feed: FeedRow, one: Seen, run_id: UUID, as_of: datetime, who: str) -> dict[str, Any]:
    return {
        "id": run_id,
        "feed_id": feed.id,
        "merchant_id": feed.merchant_id,
        "definition": feed.definition,
        "file": one.name,
        "stamp": one.stamp,
        "size": one.size,
        "started_at": as_of,
        "started_by": who,
    }


async def begin_parts(session: AsyncSession, run: AccrualRun, cut: Cut, as_of: datetime) -> None:
    """Keep how the file was cut, and add a job for each part. Raises FileRepeated for what was taken in before."""
    await session.execute(select(FeedRow.id).where(FeedRow.id == run.feed_id).with_for_update())
    going = (RunStatus.RUNNING, RunStatus.DONE, RunStatus.UNDOING)
    query = select(AccrualRun.id).where(
        AccrualRun.feed_id == run.feed_id, AccrualRun.digest == cut.digest, AccrualRun.status.in_(going)
    )
    first = await session.scalar(query)
    if first is not None:
        run.same_as = first
        run.digest = cut.digest
        raise FileRepeated(run=str(first))
    run.digest, run.columns, run.status = cut.digest, cut.columns, RunStatus.RUNNING
    await moved(session, run.id)
    if not cut.parts:
        run.status, run.finished_at = RunStatus.DONE, as_of
        return
    parts = [
        {"run_id": run.id, "number": number, "start": start, "stop": stop, "position": start, "line": line}
        for number, (start, stop, line) in enumerate(cut.parts)
    ]
    await session.execute(insert(AccrualPart), parts)
    jobs = [{"run": str(run.id), "part": part["number"]} for part in parts]
    await add_jobs(session, [NewJob("feed_part", args, queue="bulk") for args in jobs])


async def end_run(session: AsyncSession, run_id: UUID, status: RunStatus, refusal: Refusal, as_of: datetime) -> None:
    """The whole run is refused, or has failed, and why."""
    ended = update(AccrualRun).where(
        AccrualRun.id == run_id, AccrualRun.status.in_((RunStatus.TAKEN, RunStatus.RUNNING))
    )
    await session.execute(
        ended.values(status=status, finished_at=as_of, refusal=refusal.to_json(), **await _sums(session, run_id))
    )
    await moved(session, run_id)


async def tally(
    session: AsyncSession, run_id: UUID, mapping: FeedMapping, entries: Sequence[Entry], answers: Sequence[Answer]
) -> tuple[Tally, list[dict[str, Any]]]:
    """What these entries came to, and the rows that were refused; the paths of refusals are columns.

    What was posted for an attempt that was broken off is found as a duplicate, and known as the run's own.
    """
    made = Tally()
    refusals: list[dict[str, Any]] = []
    repeated = []
    for entry, answer in zip(entries, answers, strict=True):
        made.read += 1
        made.rows += len(entry.rows)
        outcome = answer.outcome
        refusal = outcome if isinstance(outcome, Refusal) else answer.refused
        if refusal is not None:
            made.refused += 1
            kept = refusal.to_json() | {"path": mapping.placed(refusal.path)}
            refusals += [
                {"run_id": run_id, "line": row.line, "refusal": kept, "content": row.content} for row in entry.rows
            ]
        elif isinstance(outcome, Refusal) or not outcome.duplicate:
            made.posted += 1
        else:
            repeated.append((entry.line, outcome))
    own = await _own(session, run_id, [(line, one.holder_id, one.operation_id) for line, one in repeated])
    for line, _ in repeated:
        if line in own:
            made.posted += 1
        else:
            made.duplicate += 1
    return made, refusals


async def _own(session: AsyncSession, run_id: UUID, booked: Sequence[tuple[int, UUID, UUID | None]]) -> set[int]:
    """The lines for which this very run booked the operation before."""
    if not booked:
        return set()
    query = text("""
        SELECT p.line
        FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
        JOIN accrual_posting p USING (holder_id, operation_id) WHERE p.run_id = :run
    """)
    found = await session.scalars(
        query,
        {
            "holders": [holder_id for _, holder_id, _ in booked],
            "operations": [operation_id for _, _, operation_id in booked],
            "run": run_id,
        },
    )
    return set(found) & {line for line, _, _ in booked}


async def note_progress(
    session: AsyncSession,
    part: AccrualPart,
    position: int,
    line: int,
    made: Tally,
    refusals: Sequence[Mapping[str, Any]],
) -> None:
    """All of a part before `position` is worked off. Done twice for one place, the second time changes nothing."""
    forward = (
        update(AccrualPart)
        .where(AccrualPart.run_id == part.run_id, AccrualPart.number == part.number)
        .where(AccrualPart.position == part.position)
        .values(
            position=position,
            line=line,
            rows=AccrualPart.rows + made.rows,
            read=AccrualPart.read + made.read,
            posted=AccrualPart.posted + made.posted,
            duplicate=AccrualPart.duplicate + made.duplicate,
            refused=AccrualPart.refused + made.refused,
        )
        .returning(AccrualPart.position)
    )
    if (await session.execute(forward)).first() is not None and refusals:
        await session.execute(insert(AccrualRefusal).on_conflict_do_nothing(), list(refusals))
    await moved(session, part.run_id)


async def finish_part(session: AsyncSession, run_id: UUID, number: int, as_of: datetime) -> bool:
    """A part is done; whoever does the last one closes the run. Whether that was it."""
    query = select(AccrualRun.status).where(AccrualRun.id == run_id).with_for_update()
    status = await session.scalar(query)
    this = update(AccrualPart).where(AccrualPart.run_id == run_id, AccrualPart.number == number)
    await session.execute(this.values(done=True))
    left = select(AccrualPart.number).where(AccrualPart.run_id == run_id, AccrualPart.done.is_(False)).limit(1)
    if status != RunStatus.RUNNING or (await session.execute(left)).first() is not None:
        return False
    closed = update(AccrualRun).where(AccrualRun.id == run_id)
    await session.execute(closed.values(status=RunStatus.DONE, finished_at=as_of, **await _sums(session, run_id)))
    await moved(session, run_id)
    return True


async def _sums(session: AsyncSession, run_id: UUID) -> dict[str, int]:
    names = ("rows", "read", "posted", "duplicate", "refused")
    columns = [func.coalesce(func.sum(getattr(AccrualPart, name)), 0) for name in names]
    (row,) = (await session.execute(select(*columns).where(AccrualPart.run_id == run_id))).all()
    return {name: int(value) for name, value in zip(names, row, strict=True)}


async def forget_rows(session: AsyncSession, as_of: datetime) -> None:
    """Forget what refused rows said that were read too long before `as_of`."""
    old = select(AccrualRun.id).where(AccrualRun.started_at < as_of - REFUSALS_KEPT, AccrualRun.refused > 0)
    forgotten = update(AccrualRefusal).where(AccrualRefusal.run_id.in_(old), AccrualRefusal.content != "[]")
    await session.execute(forgotten.values(content="[]"))
