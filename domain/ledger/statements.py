"""Statements of wallets: every movement in order, with what the wallet then stood at, which is stored, not summed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

By = Literal["booked_at", "as_of"]
"""By which time the past is told: the database's, or where callers set the clock (replays), the one that they said."""

Place = tuple[UUID, int]
"""Where a movement lies in its statement: its operation, and its number there."""


class StatementKey(NamedTuple):
    """A wallet's movements from an instant until before another; None is without end."""

    holder_id: UUID
    currency: str
    first: datetime | None = None
    before: datetime | None = None
    by: By = "booked_at"


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A movement: `change` is signed, `balance_after` what the wallet then stood at, by the order of booking.

    `received` says that the operation lies under the other holder.
    """

    holder_id: UUID
    operation_id: UUID
    seq: int
    change: int
    balance_after: int
    kind: str
    merchant_id: UUID
    occurred_at: datetime
    booked_at: datetime
    received: bool


_WANTED = "unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[])) WITH ORDINALITY AS w (holder_id, currency, n)"


def _movements(by: By) -> str:
    return f"""
        FROM entry e
        JOIN operation o ON o.id = e.operation_id AND o.holder_id = ANY(ARRAY[e.holder_id, e.counter_holder_id])
        WHERE e.holder_id = w.holder_id AND e.currency = w.currency AND e.account = 'POINTS'
        AND (CAST(:first AS timestamptz) IS NULL OR o.{by} >= CAST(:first AS timestamptz))
        AND (CAST(:before AS timestamptz) IS NULL OR o.{by} < CAST(:before AS timestamptz))
    """


def _page_statement(by: By, newest_first: bool) -> TextClause:
    after, until, order = ("<", ">", "DESC") if newest_first else (">", "<", "ASC")
    return text(f"""
        SELECT w.n, x.* FROM {_WANTED} CROSS JOIN LATERAL (
            SELECT e.holder_id, e.operation_id, e.seq, e.amount, e.balance_after, o.kind, o.merchant_id,
                   o.occurred_at, o.booked_at, o.holder_id <> e.holder_id AS received
            {_movements(by)}
            AND (CAST(:start AS uuid) IS NULL
                 OR (e.operation_id, e.seq) {after} (CAST(:start AS uuid), CAST(:start_seq AS integer)))
            AND (CAST(:end AS uuid) IS NULL
                 OR (e.operation_id, e.seq) {until} (CAST(:end AS uuid), CAST(:end_seq AS integer)))
            ORDER BY e.operation_id {order}, e.seq {order} LIMIT :size
        ) x ORDER BY w.n, x.operation_id {order}, x.seq {order}
    """)  # noqa: S608


_BYS: tuple[By, ...] = ("booked_at", "as_of")
_PAGES = {(by, newest): _page_statement(by, newest) for by in _BYS for newest in (False, True)}


def _count_statement(by: By) -> TextClause:
    counted = f"SELECT count(*) AS movements {_movements(by)}"
    return text(f"SELECT w.n, x.movements FROM {_WANTED} CROSS JOIN LATERAL ({counted}) x")  # noqa: S608


_COUNTS = {by: _count_statement(by) for by in _BYS}


async def statement_page(
    session: AsyncSession,
    keys: Sequence[StatementKey],
    size: int,
    start: Place | None = None,
    end: Place | None = None,
    *,
    newest_first: bool = False,
) -> dict[StatementKey, list[StatementRow]]:
    """Up to `size` movements of each wallet, from after `start` to before `end` in the direction asked for.

    All keys must have the same span: they differ in their wallet.
    """
    values = _values(keys) | {"size": size}
    values |= {"start": start and start[0], "start_seq": start and start[1]}
    values |= {"end": end and end[0], "end_seq": end and end[1]}
    found: dict[StatementKey, list[StatementRow]] = {key: [] for key in keys}
    for n, *row in await session.execute(_PAGES[keys[0].by, newest_first], values):
        found[keys[n - 1]].append(StatementRow(*row))
    return found


async def statement_counts(session: AsyncSession, keys: Sequence[StatementKey]) -> dict[StatementKey, int]:
    """How many movements each of these has; all keys must have the same span."""
    return {keys[n - 1]: count for n, count in await session.execute(_COUNTS[keys[0].by], _values(keys))}


def _values(keys: Sequence[StatementKey]) -> dict[str, Any]:
    return {
        "holders": [key.holder_id for key in keys],
        "currencies": [key.currency for key in keys],
        "first": keys[0].first,
        "before": keys[0].before,
    }
