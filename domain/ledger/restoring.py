"""What a reversal puts back (R20): into the very lots, or, where the merchant was at fault, for some days at least."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.base import new_id
from domain.ledger.model import OperationReturn
from domain.ledger.request import Effect
from domain.ledger.returns import EVERYTHING, named, return_of
from domain.ledger.rules import LotState

Grace = Callable[[str], datetime | None]
"""Until when points of a currency live at least that come back because the merchant was at fault."""


def put_into(effect: Effect, parts: Iterable[tuple[LotState, int]], until: datetime | None, as_of: datetime) -> int:
    """Into the very lots; those that end before `until` stay as they are, and new ones stand for their points.

    How many come back expired.
    """
    expired = 0
    for lot, part in parts:
        if until is not None and lot.expires_at is not None and lot.expires_at < until:
            effect.lots.append(_in_place_of(effect, lot, part, until))
        else:
            effect.allocations.append((lot, part))
            expired += 0 if lot.is_live(as_of) else part
    return expired


def fault_of(effect: Effect) -> dict[str, Any]:
    """That the merchant of the operation was at fault, and which client said so."""
    said_by = effect.operation["client_id"]
    return {"merchant": str(effect.operation["merchant_id"]), "by": str(said_by)}


def record_fault(effect: Effect, points: int) -> None:
    """Keep it beside the reversal of the whole of an operation, of which `points` come back."""
    figures: dict[str, Any] = {"undone": points, "due": 0, "whole": True}
    what = named({}, EVERYTHING) | {"fault": fault_of(effect)}
    effect.returned = return_of(effect.operation["id"], what, taken=effect.taken, **figures)
    row = {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "returned": what, **figures}
    effect.rows.append((OperationReturn.__table__, row))  # type: ignore[arg-type]


def _in_place_of(effect: Effect, lot: LotState, points: int, until: datetime) -> LotState:
    """A lot as that one was, but for how long it lives."""
    operation_id: UUID = effect.operation["id"]
    return LotState(
        lot.holder_id,
        new_id(),
        lot.currency,
        operation_id,
        lot.issuer_id,
        lot.funder_id,
        lot.price,
        points,
        points,
        lot.granted_at,
        until,
        source_holder_id=lot.holder_id,
        source_lot_id=lot.id,
        depth=lot.depth,
        agreement_version=lot.agreement_version,
    )
