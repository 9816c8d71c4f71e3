"""Orders that were paid in points or stored value (R8): which redemption paid, checked, and kept with the order."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from alliance.clearing.errors import NotATender, TenderDiffers, TenderUsed
from domain.errors import InvalidInput, NotFound
from domain.ledger.errors import AlreadyReversed
from domain.ledger.model import OperationKind, OrderTender
from domain.ledger.request import Books, Effect, Needs, PastOperation
from domain.money import from_minor
from domain.programs.catalogue import Catalogue
from domain.programs.rules import worth_of

_TENDER: Any = OrderTender.__table__
_OF_KINDS = {"POINTS": ("points", "stamps"), "STORED_VALUE": ("stored_value",)}


@dataclass(frozen=True, slots=True)
class PaidBy:
    """A tender, `place` in the order's list, that was paid by an operation of the member's; `amount` in minor units."""

    place: int
    kind: str
    amount: int
    holder_id: uuid.UUID
    operation_id: uuid.UUID

    @property
    def path(self) -> tuple[str, ...]:
        """Where it is named."""
        return ("tenders", str(self.place), "operation")


class _OrdersPaid:
    """The order that a redemption paid for, by (holder, redemption)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
        rows = await connection.fetch(
            """SELECT holder_id, operation_id, order_id
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN order_tender USING (holder_id, operation_id)""",
            [holder_id for holder_id, _ in keys],
            [operation_id for _, operation_id in keys],
        )
        return {(row["holder_id"], row["operation_id"]): row["order_id"] for row in rows}


ORDERS_PAID = _OrdersPaid()


@dataclass(frozen=True, slots=True)
class Paying:
    """Rides on the earn of an order: each of its tenders is a redemption of the member's, worth what it says.

    Nothing is taken for it: it was, when it was redeemed (R23).
    """

    catalogue: Catalogue
    merchant_id: uuid.UUID
    money: str
    tenders: tuple[PaidBy, ...]

    def needs(self, needs: Needs) -> None:
        """The redemptions, and what they paid for."""
        for tender in self.tenders:
            key = (tender.holder_id, tender.operation_id)
            needs.operations.add(key)
            needs.other(ORDERS_PAID, key)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a tender. Raises NotFound, NotATender, AlreadyReversed, TenderUsed, TenderDiffers, InvalidInput."""
        paid: dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID] = {}
        for tender in self.tenders:
            spent = books.operation(tender.holder_id, tender.operation_id)
            if spent is None or tender.holder_id != effect.holder_id or spent.merchant_id != self.merchant_id:
                raise NotFound(what="operation", path=tender.path)
            key = (spent.holder_id, spent.id)
            used: uuid.UUID | None = paid.get(key) or books.other(ORDERS_PAID, key)
            if used is not None:
                raise TenderUsed(order=str(used), path=tender.path)
            self._check(tender, spent)
            paid[key] = effect.operation["id"]
            effect.rows.append((_TENDER, self._row(effect, tender)))
        books.others[ORDERS_PAID].update(paid)

    def _check(self, tender: PaidBy, spent: PastOperation) -> None:
        """Whether the redemption is of that kind, stands, and is worth that much."""
        kind = self.catalogue.currencies[spent.entries[0].currency] if spent.entries else None
        if spent.kind != OperationKind.REDEEM or kind is None or kind.kind not in _OF_KINDS.get(tender.kind, ()):
            raise NotATender(kind=tender.kind, operation=spent.kind, path=tender.path)
        if spent.reversed_by is not None:
            raise AlreadyReversed(operation=str(spent.reversed_by), path=tender.path)
        points = -spent.entries[0].amount - sum(one.undone for one in spent.returns)
        worth = worth_of(kind, points, spent.as_of)
        if worth is None or worth[1] != self.money:
            reason = f"{kind.code} has no published worth in {self.money}"
            raise InvalidInput(reason=reason, path=tender.path)
        if worth[0] != tender.amount:
            texts = {"worth": from_minor(worth[0], self.money), "amount": from_minor(tender.amount, self.money)}
            raise TenderDiffers(**texts, currency=self.money, path=("tenders", str(tender.place), "amount"))

    def _row(self, effect: Effect, tender: PaidBy) -> dict[str, Any]:
        return {
            "holder_id": tender.holder_id,
            "operation_id": tender.operation_id,
            "order_id": effect.operation["id"],
            "money": self.money,
            "amount": tender.amount,
        }
