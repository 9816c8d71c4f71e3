"""Reading rights: many keys in, many rows out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.benefits.model import Right, RightBooking, RightCode, RightMove
from domain.ledger.aliases import absorbed, all_of
from domain.ledger.model import Operation

Place = tuple[UUID, UUID]
"""A holder, and what lies under them."""


class RightsKey(NamedTuple):
    """The rights of a holder that fit: of a kind (empty: all), of these grantors, where they stand (none: anywhere).

    `viewer` is a merchant who sees what it granted, and what was booked or used there.
    """

    holder_id: UUID
    as_of: datetime
    kind: str = ""
    grantors: tuple[UUID, ...] = ()
    statuses: tuple[str, ...] = ()
    viewer: UUID | None = None


@dataclass(frozen=True, slots=True)
class MoveRow:
    """What an operation did to a right: at which merchant, when, and how many uses it took (below zero) or gave."""

    operation_id: UUID
    kind: str
    merchant_id: UUID
    amount: int
    as_of: datetime
    reverses: UUID | None


async def by_codes(session: AsyncSession, hashes: Collection[bytes]) -> dict[bytes, Place]:
    """Whose right each of these hashed codes is; a code that is none is left out."""
    rows = await session.scalars(select(RightCode).where(RightCode.code_hash.in_(hashes)))
    return {row.code_hash: (row.holder_id, row.right_id) for row in rows}


async def by_ids(session: AsyncSession, places: Collection[Place]) -> dict[Place, Right]:
    """Rights by (holder, id)."""
    rows = await session.scalars(
        select(Right).where(tuple_(Right.holder_id, Right.id).in_(list(places))).execution_options(**_FRESH)
    )
    return {(row.holder_id, row.id): row for row in rows}


async def seen_by(session: AsyncSession, places: Collection[Place], merchant_id: UUID) -> set[Place]:
    """Which of these rights a merchant sees: those that it granted, and those booked or used there."""
    asked = "unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, id)"
    rows = await session.execute(
        text(f"SELECT r.holder_id, r.id FROM {asked} JOIN member_right r USING (holder_id, id) WHERE {_SEEN}"),  # noqa: S608
        {"holders": [place[0] for place in places], "ids": [place[1] for place in places], "viewer": merchant_id},
    )
    return {(row.holder_id, row.id) for row in rows}


async def of_operations(session: AsyncSession, places: Collection[Place]) -> dict[Place, Right]:
    """The right that each of these operations (holder, id) was about."""
    rows = await session.execute(
        select(RightMove.operation_id, Right)
        .join(Right, (Right.holder_id == RightMove.holder_id) & (Right.id == RightMove.right_id))
        .where(tuple_(RightMove.holder_id, RightMove.operation_id).in_(list(places)))
        .execution_options(**_FRESH)
    )
    return {(right.holder_id, operation_id): right for operation_id, right in rows}


async def moves(session: AsyncSession, places: Collection[Place]) -> dict[Place, list[MoveRow]]:
    """What was done to each of these rights, oldest first."""
    rows = await session.execute(
        select(RightMove, Operation)
        .join(Operation, (Operation.holder_id == RightMove.holder_id) & (Operation.id == RightMove.operation_id))
        .where(tuple_(RightMove.holder_id, RightMove.right_id).in_(list(places)))
        .order_by(RightMove.operation_id)
    )
    found: dict[Place, list[MoveRow]] = {place: [] for place in places}
    for move, done in rows:
        row = MoveRow(done.id, done.kind, done.merchant_id, move.amount, done.as_of, done.reverses)
        found[move.holder_id, move.right_id].append(row)
    return found


async def bookings(session: AsyncSession, places: Collection[Place]) -> dict[Place, list[RightBooking]]:
    """The bookings of each of these rights, oldest first."""
    rows = await session.scalars(
        select(RightBooking)
        .where(tuple_(RightBooking.holder_id, RightBooking.right_id).in_(list(places)))
        .order_by(RightBooking.id)
        .execution_options(**_FRESH)
    )
    found: dict[Place, list[RightBooking]] = {place: [] for place in places}
    for row in rows:
        found[row.holder_id, row.right_id].append(row)
    return found


async def booking(session: AsyncSession, place: Place) -> RightBooking | None:
    """A booking by (holder, id)."""
    return await session.get(RightBooking, place, populate_existing=True)


_FRESH = {"populate_existing": True}
_SEEN = """(CAST(:viewer AS uuid) IS NULL OR r.grantor_id = CAST(:viewer AS uuid)
    OR EXISTS (SELECT FROM right_booking b WHERE b.holder_id = r.holder_id AND b.right_id = r.id
               AND b.merchant_id = CAST(:viewer AS uuid))
    OR EXISTS (SELECT FROM right_move m JOIN operation o ON o.holder_id = m.holder_id AND o.id = m.operation_id
               WHERE m.holder_id = r.holder_id AND m.right_id = r.id AND o.merchant_id = CAST(:viewer AS uuid)))"""
# As `domain.benefits.rules.status_of`.
_STATUS = """CASE WHEN r.remaining > 0 THEN
                    CASE WHEN r.expires_at <= CAST(:as_of AS timestamptz) THEN 'EXPIRED'
                         WHEN r.valid_from > CAST(:as_of AS timestamptz) THEN 'NOT_YET_VALID' ELSE 'VALID' END
                  WHEN r.quantity > r.cancelled + r.expired THEN 'USED'
                  WHEN r.expired > 0 THEN 'EXPIRED' ELSE 'CANCELLED' END"""
_FITS = f"""r.holder_id = {all_of("w.holder_id")} AND (:kind = '' OR r.kind = :kind)
    AND (:grantor_count = 0 OR r.grantor_id = ANY(CAST(:grantors AS uuid[])))
    AND (:status_count = 0 OR {_STATUS} = ANY(CAST(:statuses AS text[]))) AND {_SEEN}"""
_HOLDERS = "unnest(CAST(:holders AS uuid[])) WITH ORDINALITY AS w (holder_id, n)"


async def page(
    session: AsyncSession,
    keys: Sequence[RightsKey],
    size: int,
    older_than: UUID | None,
    newer_than: UUID | None,
    *,
    backward: bool = False,
) -> dict[RightsKey, list[Right]]:
    """Up to `size` rights of each holder, newest first (oldest first if `backward`), between two ids.

    All keys must have the same filters: they differ in their holder.
    """
    order = "ASC" if backward else "DESC"
    statement = select(Right).from_statement(
        text(f"""SELECT x.* FROM {_HOLDERS} CROSS JOIN LATERAL (
                     SELECT r.* FROM member_right r WHERE {_FITS}
                     AND (CAST(:older_than AS uuid) IS NULL OR r.id < CAST(:older_than AS uuid))
                     AND (CAST(:newer_than AS uuid) IS NULL OR r.id > CAST(:newer_than AS uuid))
                     ORDER BY r.id {order} LIMIT :size) x ORDER BY w.n, x.id {order}""")  # noqa: S608
    )
    values = _filters(keys) | {"size": size, "older_than": older_than, "newer_than": newer_than}
    by_holder = {key.holder_id: key for key in keys}
    for holder_id, others in (await absorbed(session, list(by_holder))).items():
        by_holder |= dict.fromkeys(others, by_holder[holder_id])
    found: dict[RightsKey, list[Right]] = {key: [] for key in keys}
    for right in await session.scalars(statement, values, execution_options=_FRESH):
        found[by_holder[right.holder_id]].append(right)
    return found


async def counts(session: AsyncSession, keys: Sequence[RightsKey]) -> dict[RightsKey, int]:
    """How many rights each of these has; all keys must have the same filters."""
    found = dict.fromkeys(keys, 0)
    query = text(f"SELECT w.n, count(*) FROM {_HOLDERS} JOIN member_right r ON {_FITS} GROUP BY w.n")  # noqa: S608
    for n, count in await session.execute(query, _filters(keys)):
        found[keys[n - 1]] = count
    return found


def _filters(keys: Sequence[RightsKey]) -> dict[str, object]:
    _, as_of, kind, grantors, statuses, viewer = keys[0]
    return {
        "holders": [key.holder_id for key in keys],
        "as_of": as_of,
        "kind": kind,
        "grantors": list(grantors),
        "grantor_count": len(grantors),
        "statuses": list(statuses),
        "status_count": len(statuses),
        "viewer": viewer,
    }
