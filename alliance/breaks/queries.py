"""Reading breaks: set-based. `party` narrows an answer to the files of that merchant (A14); None is the operator."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.breaks.model import BreakNote
from alliance.breaks.rules import Bucket
from alliance.corrections.model import Correction
from alliance.disputes.rules import Place
from alliance.partnerfiles.model import BreakStatus, Outcome, ReconBreak


class Order(StrEnum):
    """AGE: the oldest first; AMOUNT: the largest difference first."""

    AGE = "AGE"
    AMOUNT = "AMOUNT"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which breaks: all that is said. `opened_before` stands for an age, `min_amount` is in millionths without sign."""

    status: BreakStatus | None = None
    outcome: Outcome | None = None
    owner_id: uuid.UUID | None = None
    merchant_id: uuid.UUID | None = None
    other_id: uuid.UUID | None = None
    cycle_id: uuid.UUID | None = None
    opened_before: datetime | None = None
    min_amount: int | None = None

    def where(self, party: uuid.UUID | None) -> list[ColumnElement[bool]]:
        """As conditions, on the breaks of a party."""
        said = (
            (ReconBreak.status, None if self.status is None else self.status.value),
            (ReconBreak.outcome, None if self.outcome is None else self.outcome.value),
            (ReconBreak.owner_id, self.owner_id),
            (ReconBreak.merchant_id, self.merchant_id),
            (ReconBreak.merchant_id, party),
            (ReconBreak.other_id, self.other_id),
            (ReconBreak.cycle_id, self.cycle_id),
        )
        found: list[ColumnElement[bool]] = [column == value for column, value in said if value is not None]
        if self.opened_before is not None:
            found.append(ReconBreak.opened_at < self.opened_before)
        if self.min_amount is not None:
            found.append(self.min_amount <= SIZE)
        return found


SIZE: ColumnElement[int] = func.abs(func.coalesce(ReconBreak.theirs, 0) - func.coalesce(ReconBreak.ours, 0))

Cursor = tuple[Any, uuid.UUID]


def sort_value(order: Order, row: ReconBreak) -> datetime | int:
    """By what a break is listed, before its id."""
    return row.opened_at if order is Order.AGE else abs((row.theirs or 0) - (row.ours or 0))


async def page(
    session: AsyncSession,
    party: uuid.UUID | None,
    wanted: Filter,
    order: Order,
    first: int,
    after: Cursor | None = None,
) -> Sequence[ReconBreak]:
    """The first of them, in order; after a cursor: what it is listed by, and id."""
    query = select(ReconBreak).where(*wanted.where(party)).limit(first)
    if order is Order.AGE:
        query = query.order_by(ReconBreak.opened_at, ReconBreak.id)
        if after is not None:
            query = query.where(tuple_(ReconBreak.opened_at, ReconBreak.id) > tuple_(*after))
    else:
        query = query.order_by(-SIZE, ReconBreak.id)
        if after is not None:
            query = query.where(tuple_(-SIZE, ReconBreak.id) > tuple_(-after[0], after[1]))
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, party: uuid.UUID | None, wanted: Filter) -> int:
    """How many there are."""
    return (await session.scalars(select(func.count()).select_from(ReconBreak).where(*wanted.where(party)))).one()


async def totals(
    session: AsyncSession, party: uuid.UUID | None, wanted: Filter, ages: Sequence[Bucket]
) -> list[tuple[Bucket, int, int]]:
    """How many of each age, and what their differences come to without sign, in millionths."""
    columns: list[ColumnElement[Any]] = []
    for one in ages:
        of_age: list[ColumnElement[bool]] = [] if one.since is None else [ReconBreak.opened_at >= one.since]
        if one.before is not None:
            of_age.append(ReconBreak.opened_at < one.before)
        columns += [
            func.count().filter(*of_age) if of_age else func.count(),
            func.coalesce(func.sum(SIZE).filter(*of_age) if of_age else func.sum(SIZE), 0),
        ]
    row = (await session.execute(select(*columns).select_from(ReconBreak).where(*wanted.where(party)))).one()
    return [(one, row[2 * place], int(row[2 * place + 1])) for place, one in enumerate(ages)]


async def by_ids(
    session: AsyncSession, party: uuid.UUID | None, ids: Collection[uuid.UUID], *, lock: bool = False
) -> dict[uuid.UUID, ReconBreak]:
    """Breaks by id; one that is not there, or out of reach, is left out."""
    query = select(ReconBreak).where(ReconBreak.id.in_(ids), *Filter().where(party)).order_by(ReconBreak.id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return {row.id: row for row in await session.scalars(query)}


async def notes(session: AsyncSession, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[BreakNote]]:
    """What was noted about breaks, oldest first."""
    found: dict[uuid.UUID, list[BreakNote]] = {id_: [] for id_ in ids}
    for row in await session.scalars(select(BreakNote).where(BreakNote.break_id.in_(ids)).order_by(BreakNote.id)):
        found[row.break_id].append(row)
    return found


async def corrected(session: AsyncSession, places: Collection[Place]) -> set[tuple[uuid.UUID, int]]:
    """Which of the lines at these places were corrected, by operation and number."""
    named = (Correction.corrects_operation_id, Correction.corrects_seq)
    asked = [(operation_id, seq) for _, operation_id, seq in places]
    rows = await session.execute(select(named[0], named[1]).where(tuple_(*named).in_(asked)))
    return {(operation_id, seq) for operation_id, seq in rows if operation_id is not None and seq is not None}
