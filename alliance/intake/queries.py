"""What the operations of an order were."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

OrderKey = tuple[UUID, UUID, str]
"""Holder, merchant, order reference."""

_OF_ORDERS = text("""
    WITH of_order AS (
        SELECT holder_id, merchant_id, order_ref, operation.id, operation.kind
        FROM unnest(CAST(:holders AS uuid[]), CAST(:merchants AS uuid[]), CAST(:orders AS text[]))
            AS asked (holder_id, merchant_id, order_ref)
        JOIN operation USING (holder_id, merchant_id, order_ref)
        WHERE operation.kind IN ('EARN', 'REDEEM')
    )
    SELECT * FROM of_order
    UNION
    SELECT earn.holder_id, earn.merchant_id, earn.order_ref, tender.operation_id, 'REDEEM'
    FROM of_order earn JOIN order_tender tender ON tender.holder_id = earn.holder_id AND tender.order_id = earn.id
    ORDER BY kind DESC, id
""")


async def operations_of_orders(
    session: AsyncSession, orders: Sequence[OrderKey]
) -> dict[OrderKey, list[tuple[UUID, str]]]:
    """The redemptions on each order, or that paid for it, then its earns, as (id, kind); reversed ones among them."""
    keys = set(orders)
    asked = {
        "holders": [holder_id for holder_id, _, _ in keys],
        "merchants": [merchant_id for _, merchant_id, _ in keys],
        "orders": [order_ref for _, _, order_ref in keys],
    }
    found: dict[OrderKey, list[tuple[UUID, str]]] = defaultdict(list)
    for holder_id, merchant_id, order_ref, id_, kind in await session.execute(_OF_ORDERS, asked):
        found[holder_id, merchant_id, order_ref].append((id_, kind))
    return dict(found)
