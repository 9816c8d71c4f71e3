"""Rights that are past their date, and bookings whose time is over, by ranges of holders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.benefits.model import Right, RightBooking
from domain.benefits.queries import Place
from domain.ledger.due import going

# What is booked waits for its booking.
_EXPIRED = "NOT done AND expires_at <= :as_of AND remaining > booked"
_OVER = "open AND expires_at <= :as_of"


async def cut_expired(session: AsyncSession, as_of: datetime, size: int) -> Sequence[UUID]:
    """The first of every `size` holders, by id, who have rights that are past their date: where ranges begin."""
    return await _cut(session, f"member_right WHERE {_EXPIRED}", as_of, size)


async def cut_over(session: AsyncSession, as_of: datetime, size: int) -> Sequence[UUID]:
    """As `cut_expired`, of holders who have bookings whose time is over."""
    return await _cut(session, f"right_booking WHERE {_OVER}", as_of, size)


async def _cut(session: AsyncSession, due: str, as_of: datetime, size: int) -> Sequence[UUID]:
    rows = await session.scalars(
        text(f"""SELECT holder_id FROM (SELECT holder_id, row_number() OVER (ORDER BY holder_id) - 1 AS n
                                        FROM (SELECT DISTINCT holder_id FROM {due}) AS due) AS numbered
                 WHERE n % :size = 0 ORDER BY 1"""),  # noqa: S608
        {"as_of": as_of, "size": size},
    )
    return rows.all()


async def expired(
    session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None, after: Place | None, size: int
) -> Sequence[Right]:
    """At most `size` rights past their date, after that one, of holders from `first` to before `before` who are not
    stopped."""
    statement = select(Right).from_statement(_page("member_right", _EXPIRED))
    return (await session.scalars(statement, _values(as_of, first, before, after, size))).all()


async def over(
    session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None, after: Place | None, size: int
) -> Sequence[RightBooking]:
    """As `expired`, of bookings whose time is over."""
    statement = select(RightBooking).from_statement(_page("right_booking", _OVER))
    return (await session.scalars(statement, _values(as_of, first, before, after, size))).all()


def _page(table: str, due: str) -> Any:
    return text(f"""
        SELECT * FROM {table} t WHERE {due} AND holder_id >= :first AND (holder_id, id) > (:after, :after_id)
          AND (CAST(:before AS uuid) IS NULL OR holder_id < CAST(:before AS uuid)) AND {going("t.holder_id")}
        ORDER BY holder_id, id LIMIT :size""")  # noqa: S608


def _values(as_of: datetime, first: UUID, before: UUID | None, after: Place | None, size: int) -> dict[str, Any]:
    past = after or (UUID(int=0), UUID(int=0))
    return {"as_of": as_of, "first": first, "before": before, "after": past[0], "after_id": past[1], "size": size}
