"""What issuers hold of their members' money: the deposit report (L4)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Deposit:
    """Stored value of one currency, in minor units of what was paid: outstanding = topped up - refunded - spent.

    What members brought with them was topped up when it was taken over. `wallets` are those that have some of it.
    """

    merchant_id: uuid.UUID
    currency: str
    topped_up: int
    refunded: int
    spent: int
    outstanding: int
    wallets: int


_DEPOSITS = text("""
    WITH paid AS (
        SELECT t.holder_id, t.currency, t.paid_lot_id, t.paid, c.merchant_id
        FROM top_up t JOIN currency c ON c.code = t.currency
        JOIN operation o ON o.holder_id = t.holder_id AND o.id = t.operation_id
        WHERE o.as_of <= :as_of AND (CAST(:merchant_id AS uuid) IS NULL OR c.merchant_id = CAST(:merchant_id AS uuid))
    ), carried AS (
        SELECT l.holder_id, l.currency, l.id AS paid_lot_id, l.granted, p.merchant_id, l.root_holder_id
        FROM paid p JOIN lot l ON l.root_holder_id = p.holder_id AND l.root_lot_id = p.paid_lot_id
        JOIN operation o ON o.holder_id = l.source_holder_id AND o.id = l.operation_id
        WHERE o.as_of <= :as_of
    ), moved AS (
        SELECT merchant_id, currency, holder_id, paid AS amount, 'TOP_UP' AS kind FROM paid
        UNION ALL
        SELECT merchant_id, currency, holder_id, granted, 'MERGE' FROM carried
        UNION ALL
        SELECT p.merchant_id, p.currency, p.holder_id, a.amount, coalesce(u.kind, o.kind)
        FROM (SELECT merchant_id, currency, holder_id, paid_lot_id, holder_id AS under FROM paid
              UNION ALL SELECT merchant_id, currency, holder_id, paid_lot_id, root_holder_id FROM carried) p
        JOIN allocation a ON a.holder_id = p.holder_id AND a.lot_id = p.paid_lot_id
        JOIN operation o ON o.id = a.operation_id AND o.holder_id IN (a.holder_id, p.under)
        LEFT JOIN operation u ON u.holder_id = o.holder_id AND u.id = o.reverses
        WHERE o.as_of <= :as_of
    ), wallet AS (
        SELECT merchant_id, currency, holder_id, sum(amount) AS outstanding,
               coalesce(sum(amount) FILTER (WHERE kind = 'TOP_UP' AND amount > 0), 0) AS topped_up,
               -coalesce(sum(amount) FILTER (WHERE kind = 'REFUND' OR kind IN ('TOP_UP', 'OPENING') AND amount < 0), 0)
               AS refunded,
               -coalesce(sum(amount) FILTER (WHERE kind NOT IN ('TOP_UP', 'OPENING', 'REFUND', 'MERGE')), 0) AS spent
        FROM moved GROUP BY 1, 2, 3
    )
    SELECT merchant_id, currency, sum(topped_up)::bigint, sum(refunded)::bigint, sum(spent)::bigint,
           sum(outstanding)::bigint, count(*) FILTER (WHERE outstanding > 0)
    FROM wallet GROUP BY 1, 2 ORDER BY 2
""")


async def deposits(session: AsyncSession, as_of: datetime, merchant_id: uuid.UUID | None = None) -> Sequence[Deposit]:
    """What was outstanding at `as_of` (what happened then included), by currency; of one issuer, if it is named."""
    rows = await session.execute(_DEPOSITS, {"as_of": as_of, "merchant_id": merchant_id})
    return [Deposit(*row) for row in rows]


Pair = tuple[uuid.UUID, uuid.UUID]


_ROOTS = text("""
    SELECT holder_id, id, coalesce(root_holder_id, holder_id), coalesce(root_lot_id, id) FROM lot
    JOIN unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS asked (holder_id, id) USING (holder_id, id)
""")


async def paid_lots(session: AsyncSession, lots: Sequence[Pair]) -> set[Pair]:
    """Which of these lots, as (holder, id), were paid for; also in a wallet that was merged into theirs."""
    columns = {"holders": [holder_id for holder_id, _ in lots], "ids": [id_ for _, id_ in lots]}
    roots = {(row[0], row[1]): (row[2], row[3]) for row in await session.execute(_ROOTS, columns)}
    paid = await _of_pairs(session, "paid_lot_id", list(roots.values()))
    return {lot for lot, root in roots.items() if root in paid}


async def paid_operations(session: AsyncSession, operations: Sequence[Pair]) -> set[Pair]:
    """Which of these operations, as (holder, id), took in what was paid for."""
    return await _of_pairs(session, "operation_id", operations)


async def _of_pairs(session: AsyncSession, column: str, pairs: Sequence[Pair]) -> set[Pair]:
    rows = await session.execute(
        text(f"""SELECT holder_id, {column} FROM top_up
                 JOIN unnest(CAST(:holders AS uuid[]), CAST(:ids AS uuid[])) AS asked (holder_id, {column})
                 USING (holder_id, {column})"""),  # noqa: S608
        {"holders": [holder_id for holder_id, _ in pairs], "ids": [id_ for _, id_ in pairs]},
    )
    return {(row[0], row[1]) for row in rows}
