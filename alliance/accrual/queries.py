"""Feeds, runs and what they refused: many keys in, many rows out."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.accrual.model import AccrualPart, AccrualRefusal, AccrualRun, AccrualUndo, FeedRow, RunStatus

_SUMS = ("rows", "read", "posted", "duplicate", "refused")


async def feeds(session: AsyncSession) -> Sequence[FeedRow]:
    """All feeds, by code."""
    return (await session.scalars(select(FeedRow).order_by(FeedRow.code))).all()


async def feeds_by_id(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, FeedRow]:
    """The feeds with these ids."""
    return {row.id: row for row in await session.scalars(select(FeedRow).where(FeedRow.id.in_(ids)))}


async def runs_by_id(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, AccrualRun]:
    """The runs with these ids; what goes on says how far it is."""
    rows = (await session.scalars(select(AccrualRun).where(AccrualRun.id.in_(ids)))).all()
    await _so_far(session, rows)
    return {row.id: row for row in rows}


async def list_runs(
    session: AsyncSession,
    *,
    merchant_id: UUID | None = None,
    feed_id: UUID | None = None,
    status: RunStatus | None = None,
    first: int = 50,
    after: UUID | None = None,
    before: UUID | None = None,
    oldest: bool = False,
) -> Sequence[AccrualRun]:
    """Runs, latest first unless `oldest`; `after` and `before` in that order."""
    query = select(AccrualRun).where(*_of(merchant_id, feed_id, status))
    if after is not None:
        query = query.where(AccrualRun.id < after)
    if before is not None:
        query = query.where(AccrualRun.id > before)
    rows = (await session.scalars(query.order_by(AccrualRun.id if oldest else AccrualRun.id.desc()).limit(first))).all()
    await _so_far(session, rows)
    return rows


async def count_runs(
    session: AsyncSession,
    *,
    merchant_id: UUID | None = None,
    feed_id: UUID | None = None,
    status: RunStatus | None = None,
) -> int:
    """How many there are."""
    query = select(func.count()).select_from(AccrualRun).where(*_of(merchant_id, feed_id, status))
    return int(await session.scalar(query) or 0)


def _of(merchant_id: UUID | None, feed_id: UUID | None, status: RunStatus | None) -> list[Any]:
    asked = ((AccrualRun.merchant_id, merchant_id), (AccrualRun.feed_id, feed_id), (AccrualRun.status, status))
    return [column == value for column, value in asked if value is not None]


async def _so_far(session: AsyncSession, runs: Sequence[AccrualRun]) -> None:
    """Counts of a run that goes on are those of its parts; they are read, and not kept."""
    going = [run.id for run in runs if run.status == RunStatus.RUNNING]
    if not going:
        return
    sums = [func.sum(getattr(AccrualPart, name)) for name in _SUMS]
    query = select(AccrualPart.run_id, *sums).where(AccrualPart.run_id.in_(going)).group_by(AccrualPart.run_id)
    found = {row[0]: row[1:] for row in await session.execute(query)}
    for run in runs:
        session.expunge(run)
        for name, value in zip(_SUMS, found.get(run.id, ()), strict=False):
            setattr(run, name, int(value))


async def far(
    session: AsyncSession, runs: Sequence[AccrualRun], undone: Mapping[UUID, AccrualUndo]
) -> dict[UUID, tuple[int, int]]:
    """How much of those of these runs that are at work is done, of how much: bytes, or rows of Parquet; of what is
    being undone, purchases."""
    going = [run.id for run in runs if run.status == RunStatus.RUNNING]
    sums = [func.sum(AccrualPart.position - AccrualPart.start), func.sum(AccrualPart.stop - AccrualPart.start)]
    query = select(AccrualPart.run_id, *sums).where(AccrualPart.run_id.in_(going)).group_by(AccrualPart.run_id)
    parts = (await session.execute(query)).all() if going else []
    found = {row[0]: (int(row[1]), int(row[2])) for row in parts}
    undoing = [run for run in runs if run.status == RunStatus.UNDOING]
    return found | {run.id: (undone[run.id].reversed + undone[run.id].kept, run.posted) for run in undoing}


async def parts_of(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[AccrualPart]]:
    """The parts of these runs, in the order of their files."""
    query = select(AccrualPart).where(AccrualPart.run_id.in_(ids)).order_by(AccrualPart.run_id, AccrualPart.number)
    found: dict[UUID, list[AccrualPart]] = {id_: [] for id_ in ids}
    for part in await session.scalars(query):
        found[part.run_id].append(part)
    return found


async def undos(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, AccrualUndo]:
    """How those of these runs were undone that were."""
    rows = await session.scalars(select(AccrualUndo).where(AccrualUndo.run_id.in_(ids)))
    return {row.run_id: row for row in rows}


async def refusals(session: AsyncSession, run_id: UUID, after: int, first: int) -> Sequence[AccrualRefusal]:
    """Refused rows of a run in the order of its file, after a line."""
    query = select(AccrualRefusal).where(AccrualRefusal.run_id == run_id, AccrualRefusal.line > after)
    return (await session.scalars(query.order_by(AccrualRefusal.line).limit(first))).all()
