"""Orders that are booked once (R12): of merchants that declare it, (merchant, order, kind) is unique."""

from typing import Any, Protocol
from uuid import UUID

from domain.ledger.errors import DuplicateOrder
from domain.ledger.model import OperationKind, OrderReference
from domain.ledger.request import Books, Effect

_REFERENCE: Any = OrderReference.__table__
Order = tuple[UUID, str, str]


class OfOrder(Protocol):
    """What may be booked for an order."""

    merchant_id: UUID
    order_ref: str | None
    unique_order: bool


def order_of(request: OfOrder, kind: OperationKind) -> Order | None:
    """What must be new; None where nothing has to be."""
    if request.unique_order and request.order_ref:
        return request.merchant_id, request.order_ref, kind.value
    return None


def require_new(books: Books, order: Order | None) -> None:
    """Raises DuplicateOrder. The request has asked for the order."""
    if order is not None and (first := books.orders.get(order)) is not None:
        raise DuplicateOrder(order=order[1], operation=str(first), path=("orderRef",))


def keep(effect: Effect, order: Order | None) -> None:
    """Book the order with the effect."""
    if order is not None:
        effect.order = order
        row = dict(zip(("merchant_id", "order_ref", "kind"), order, strict=True))
        effect.rows.append((_REFERENCE, row | {"holder_id": effect.holder_id, "operation_id": effect.operation["id"]}))
