"""What the operations of an order were."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.aliases import all_of

OrderKey = tuple[UUID, UUID, str]
"""Holder, merchant, order reference."""

_OF_ORDERS = text(f"""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:holders AS uuid[]), CAST(:merchants AS uuid[]), CAST(:orders AS text[]))
            AS asked (holder_id, merchant_id, order_ref)
    ), of_order AS (
        SELECT asked.holder_id, merchant_id, order_ref, operation.id, operation.kind, operation.holder_id AS under
        FROM asked JOIN operation USING (merchant_id, order_ref)
        WHERE operation.kind IN ('EARN', 'REDEEM') AND operation.holder_id = {all_of("asked.holder_id")}
    )
    SELECT * FROM of_order
    UNION
    SELECT earn.holder_id, earn.merchant_id, earn.order_ref, tender.operation_id, 'REDEEM', earn.under
    FROM of_order earn JOIN order_tender tender ON tender.holder_id = earn.under AND tender.order_id = earn.id
    UNION
    SELECT asked.holder_id, o.merchant_id, o.order_ref, o.id, o.kind, o.holder_id
    FROM asked JOIN pool_member m ON m.member_id = asked.holder_id AND m.left_at IS NULL
    JOIN operation o ON o.holder_id = m.holder_id AND o.merchant_id = asked.merchant_id
         AND o.order_ref = asked.order_ref AND o.kind = 'REDEEM'
    JOIN pool_spend s ON s.holder_id = o.holder_id AND s.operation_id = o.id AND s.member_id = asked.holder_id
    ORDER BY kind DESC, id
""")  # noqa: S608


class OfOrder(NamedTuple):
    """An operation of an order: whose points it moved, a member's or those of a pool that they spent of."""

    holder_id: UUID
    id: UUID
    kind: str


async def operations_of_orders(session: AsyncSession, orders: Sequence[OrderKey]) -> dict[OrderKey, list[OfOrder]]:
    """The redemptions on each order, or that paid for it, then its earns; reversed ones among them."""
    keys = set(orders)
    asked = {
        "holders": [holder_id for holder_id, _, _ in keys],
        "merchants": [merchant_id for _, merchant_id, _ in keys],
        "orders": [order_ref for _, _, order_ref in keys],
    }
    found: dict[OrderKey, list[OfOrder]] = defaultdict(list)
    for holder_id, merchant_id, order_ref, id_, kind, under in await session.execute(_OF_ORDERS, asked):
        found[holder_id, merchant_id, order_ref].append(OfOrder(under, id_, kind))
    return dict(found)
