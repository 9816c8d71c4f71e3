"""Statements of wallets: every movement in order, with what the wallet then stood at, which is stored, not summed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.aliases import PERSONS, within

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


_WANTED = f"""(
    SELECT p.*, c.currency FROM {PERSONS} AS p
    JOIN unnest(CAST(:currencies AS text[])) WITH ORDINALITY AS c (currency, n) USING (n)) AS w"""  # noqa: S608

# What the wallets of the others then stood at whom a holder was merged with: they are one by now.
_BESIDE = """(
    SELECT coalesce(sum(x.balance_after), 0) FROM (
        SELECT w.person_id AS holder_id UNION ALL
        SELECT a.holder_id FROM member_alias a WHERE a.survivor_id = w.person_id) AS other
    CROSS JOIN LATERAL (
        SELECT x.balance_after FROM entry x WHERE x.holder_id = other.holder_id AND x.operation_id <= e.operation_id
        AND x.currency = w.currency AND x.account = 'POINTS' ORDER BY x.operation_id DESC, x.seq DESC LIMIT 1) AS x
    WHERE other.holder_id <> e.holder_id)"""


def _movements(by: By) -> str:
    """What moved between two who are one person by now did not move."""
    return f"""
        FROM entry e
        JOIN operation o ON o.id = e.operation_id AND o.holder_id = ANY(ARRAY[e.holder_id, e.counter_holder_id])
        WHERE e.holder_id = w.holder_id AND e.currency = w.currency AND e.account = 'POINTS'
        AND (e.counter_account <> 'POINTS' OR NOT {within("e.counter_holder_id", "w.person_id")})
        AND (CAST(:first AS timestamptz) IS NULL OR o.{by} >= CAST(:first AS timestamptz))
        AND (CAST(:before AS timestamptz) IS NULL OR o.{by} < CAST(:before AS timestamptz))
    """


def _page_statement(by: By, newest_first: bool) -> TextClause:
    after, until, order = ("<", ">", "DESC") if newest_first else (">", "<", "ASC")
    return text(f"""
        SELECT w.n, x.* FROM {_WANTED} CROSS JOIN LATERAL (
            SELECT e.holder_id, e.operation_id, e.seq, e.amount, (e.balance_after + {_BESIDE})::bigint AS balance_after,
                   o.kind, o.merchant_id, o.occurred_at, o.booked_at,
                   o.holder_id <> e.holder_id AS received
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
    return text(f"SELECT w.n, sum(x.movements) FROM {_WANTED} CROSS JOIN LATERAL ({counted}) x GROUP BY 1")  # noqa: S608


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

    Those of who was merged into its holder are among them, with what all of theirs then stood at together. All keys
    must have the same span: they differ in their wallet.
    """
    values = _values(keys) | {"size": size}
    values |= {"start": start and start[0], "start_seq": start and start[1]}
    values |= {"end": end and end[0], "end_seq": end and end[1]}
    found: dict[StatementKey, list[StatementRow]] = {key: [] for key in keys}
    for n, *row in await session.execute(_PAGES[keys[0].by, newest_first], values):
        if len(of_one := found[keys[n - 1]]) < size:
            of_one.append(StatementRow(*row))
    return found


async def statement_counts(session: AsyncSession, keys: Sequence[StatementKey]) -> dict[StatementKey, int]:
    """How many movements each of these has; all keys must have the same span."""
    return {keys[n - 1]: int(count) for n, count in await session.execute(_COUNTS[keys[0].by], _values(keys))}


def _values(keys: Sequence[StatementKey]) -> dict[str, Any]:
    return {
        "holders": [key.holder_id for key in keys],
        "currencies": [key.currency for key in keys],
        "first": keys[0].first,
        "before": keys[0].before,
    }
