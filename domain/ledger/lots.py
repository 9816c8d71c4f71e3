"""Reading single lots and holds: where lots came from, and pages of what was set aside."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.asof import BYS, HELD
from domain.ledger.model import Hold
from domain.ledger.queries import ENDS, LotRow
from domain.ledger.statements import By

LotKey = tuple[UUID, UUID]


class SourceRow(NamedTuple):
    """A lot that another one's points came from, and how many of it, in its own currency."""

    holder_id: UUID
    lot_id: UUID
    points: int


_LOTS = text(f"""
    SELECT l.id, l.granted, l.remaining, l.granted_at, {ENDS} AS expires_at, l.issuer_id, l.operation_id,
           l.holder_id, l.currency
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS w (holder_id, id)
    JOIN lot l ON l.holder_id = w.holder_id AND l.id = w.id
""")  # noqa: S608

# A gift and a reinstatement make a lot for each that gave, and it says which; an exchange merges lots of one expiry.
_SOURCES = text("""
    SELECT w.n, s.holder_id, s.lot_id, s.points
    FROM unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) WITH ORDINALITY AS w (holder_id, id, n)
    JOIN lot l ON l.holder_id = w.holder_id AND l.id = w.id
    CROSS JOIN LATERAL (
        SELECT l.source_holder_id AS holder_id, l.source_lot_id AS lot_id, l.granted AS points
        WHERE l.source_lot_id IS NOT NULL
        UNION ALL
        SELECT a.holder_id, a.lot_id, -a.amount
        FROM operation o JOIN allocation a ON a.holder_id = o.holder_id AND a.operation_id = o.id AND a.amount < 0
        WHERE l.source_lot_id IS NULL AND o.holder_id = l.holder_id AND o.id = l.operation_id AND o.kind = 'EXCHANGE'
    ) s ORDER BY w.n, s.lot_id
""")


async def lots(session: AsyncSession, keys: Sequence[LotKey]) -> dict[LotKey, LotRow]:
    """The lots with these (holder, id), spent and expired ones too; what is not there is left out."""
    rows = [LotRow(*row) for row in await session.execute(_LOTS, _pairs(keys))]
    return {(row.holder_id, row.id): row for row in rows}


async def sources(session: AsyncSession, keys: Sequence[LotKey]) -> dict[LotKey, list[SourceRow]]:
    """What the points of these lots were before they were given, brought back or exchanged; nothing for others."""
    found: dict[LotKey, list[SourceRow]] = {key: [] for key in keys}
    for n, *source in await session.execute(_SOURCES, _pairs(keys)):
        found[keys[n - 1]].append(SourceRow(*source))
    return found


class HoldsKey(NamedTuple):
    """Whose holds, as of a moment. Empty filters let all through; `viewer_id` (a merchant) what is for it or of it.

    With `past` they are as they stood at that moment, by that time: see domain.ledger.asof.
    """

    holder_id: UUID
    as_of: datetime
    currency: str = ""
    statuses: tuple[str, ...] = ()
    viewer_id: UUID | None = None
    past: By | None = None


def _as_it_stood(past: By | None) -> str:
    """The table of holds; of the past, without those made later, and with what ended later still open."""
    columns = [column.name for column in Hold.__table__.columns]
    if past is None:
        return f"(SELECT {', '.join(columns)} FROM hold)"  # noqa: S608
    made, ended = HELD[past]
    at = "CAST(:as_of AS timestamptz)"
    over = f"hold.{ended} <= {at}"
    then = {name: f"CASE WHEN {over} THEN hold.{name} END" for name in ("captured_by", "ended_as_of", "ended_at")}
    then |= {"status": f"CASE WHEN {over} THEN hold.status ELSE 'OPEN' END"}
    then |= {"captured": f"CASE WHEN {over} THEN hold.captured ELSE 0 END"}
    shown = ", ".join(f"{then.get(name, name)} AS {name}" for name in columns)
    return f"(SELECT {shown} FROM hold WHERE hold.{made} <= {at})"  # noqa: S608


# Past its time an open hold has lapsed, whether or not that was booked.
_SEEN = """
    h.holder_id = w.holder_id AND (:currency = '' OR h.currency = :currency)
    AND (:status_count = 0 OR CASE WHEN h.status = 'OPEN' AND h.expires_at <= CAST(:as_of AS timestamptz)
                              THEN 'LAPSED' ELSE h.status END = ANY(CAST(:statuses AS text[])))
    AND (CAST(:viewer AS uuid) IS NULL OR CAST(:viewer AS uuid) IN (h.merchant_id, h.issuer_id))
"""
_HOLDERS = "unnest(CAST(:holders AS uuid[])) WITH ORDINALITY AS w (holder_id, n)"


def _holds_statement(backward: bool, past: By | None) -> TextClause:
    order = "ASC" if backward else "DESC"
    columns = ", ".join(f"x.{column.name}" for column in Hold.__table__.columns)
    return text(f"""
        SELECT {columns} FROM {_HOLDERS} CROSS JOIN LATERAL (
            SELECT h.* FROM {_as_it_stood(past)} h WHERE {_SEEN}
            AND (CAST(:older_than AS uuid) IS NULL OR h.id < CAST(:older_than AS uuid))
            AND (CAST(:newer_than AS uuid) IS NULL OR h.id > CAST(:newer_than AS uuid))
            ORDER BY h.id {order} LIMIT :size
        ) x ORDER BY w.n, x.id {order}
    """)  # noqa: S608 - no value is formatted in


_PASTS: tuple[By | None, ...] = (None, *BYS)
_HOLDS = {(backward, past): _holds_statement(backward, past) for backward in (False, True) for past in _PASTS}
_HOLD_COUNTS = {
    past: text(f"SELECT w.n, count(*) FROM {_HOLDERS} JOIN {_as_it_stood(past)} h ON {_SEEN} GROUP BY w.n")  # noqa: S608
    for past in _PASTS
}


async def holds_page(
    session: AsyncSession,
    keys: Sequence[HoldsKey],
    size: int,
    older_than: UUID | None,
    newer_than: UUID | None,
    *,
    backward: bool = False,
) -> dict[HoldsKey, list[Hold]]:
    """Up to `size` holds of each holder, newest first (oldest first if `backward`), between two ids.

    All keys must have the same filters: they differ in their holder.
    """
    values = _filters(keys) | {"size": size, "older_than": older_than, "newer_than": newer_than}
    by_holder = {key.holder_id: key for key in keys}
    found: dict[HoldsKey, list[Hold]] = {key: [] for key in keys}
    statement = select(Hold).from_statement(_HOLDS[backward, keys[0].past])
    for hold in await session.scalars(statement, values, execution_options={"populate_existing": True}):
        found[by_holder[hold.holder_id]].append(hold)
    return found


async def hold_counts(session: AsyncSession, keys: Sequence[HoldsKey]) -> dict[HoldsKey, int]:
    """How many holds each of these has; all keys must have the same filters."""
    counts = dict.fromkeys(keys, 0)
    for n, count in await session.execute(_HOLD_COUNTS[keys[0].past], _filters(keys)):
        counts[keys[n - 1]] = count
    return counts


def _filters(keys: Sequence[HoldsKey]) -> dict[str, object]:
    _, as_of, currency, statuses, viewer, _ = keys[0]
    return {
        "holders": [key.holder_id for key in keys],
        "as_of": as_of,
        "currency": currency,
        "statuses": list(statuses),
        "status_count": len(statuses),
        "viewer": viewer,
    }


def _pairs(keys: Sequence[LotKey]) -> dict[str, list[UUID]]:
    return {"holders": [key[0] for key in keys], "ids": [key[1] for key in keys]}
