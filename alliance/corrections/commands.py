"""Booking lines between merchants in the open cycle, set-based, in the caller's transaction."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.model import Obligation, ObligationKind
from alliance.corrections.model import Cause, Correction
from alliance.exposure.commands import make_room
from alliance.exposure.positions import add
from alliance.settlement.closing import ensure_open_cycle
from alliance.settlement.model import CYCLE_LOCK
from domain.base import new_id
from domain.errors import NotFound
from domain.ledger.kinds import OperationKind
from domain.ledger.model import Operation
from domain.programs.catalogue import Alliance
from domain.programs.model import MerchantRow

Place = tuple[uuid.UUID, uuid.UUID, int]
"""Holder, operation and number of a line."""

LOOKED_UP = 1000
"""Lines that are looked up in a statement."""


@dataclass(frozen=True, slots=True)
class Line:
    """`debtor_id` is to owe `creditor_id` `amount` millionths more, or less where it is below zero.

    With `corrects` it is an adjustment of that line, of the same two parties. `price` (10^-8) only where
    `amount` = `points` x `price`. `cause_id` is its own, where lines of several causes are booked at once.
    """

    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    amount: int
    kind: ObligationKind = ObligationKind.CORRECTION
    corrects: Place | None = None
    points: int = 0
    price: int | None = None
    cause_id: uuid.UUID | None = None


async def book(
    session: AsyncSession,
    alliance: Alliance,
    lines: Sequence[Line],
    *,
    cause: Cause,
    cause_id: uuid.UUID | None,
    who: uuid.UUID,
    why: str,
    as_of: datetime,
    approved_by: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """Book lines in the open cycle (A7), each an operation of its own; their ids, in order.

    They are decided: no cap refuses them, and positions follow. Raises NotFound for a line to correct that is not
    between the two.
    """
    if not lines:
        return []
    await session.execute(select(func.pg_advisory_xact_lock_shared(*CYCLE_LOCK)))
    cycle = await ensure_open_cycle(session, as_of)
    known = await _corrected(session, lines)
    operations: list[dict[str, Any]] = []
    obligations: list[dict[str, Any]] = []
    corrections: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        about = _about(line, known, alliance, number)
        id_ = new_id()
        operations.append(
            {
                "holder_id": alliance.id,
                "id": id_,
                "kind": OperationKind.CORRECTION.value,
                "merchant_id": about["merchant_id"],
                "occurred_at": as_of,
                "as_of": as_of,
            }
        )
        obligations.append(
            {
                "holder_id": alliance.id,
                "operation_id": id_,
                "seq": 0,
                "cycle_id": cycle.id,
                "kind": line.kind.value,
                "debtor_id": line.debtor_id,
                "creditor_id": line.creditor_id,
                "points": line.points,
                "price": line.price,
                "amount": line.amount,
                "occurred_at": as_of,
                **about,
            }
        )
        holder_id, operation_id, seq = line.corrects or (None, None, None)
        corrections.append(
            {
                "operation_id": id_,
                "cause": Cause(cause).value,
                "cause_id": line.cause_id or cause_id,
                "corrects_holder_id": holder_id,
                "corrects_operation_id": operation_id,
                "corrects_seq": seq,
                "who": who,
                "approved_by": approved_by,
                "why": why,
                "as_of": as_of,
            }
        )
    await session.execute(insert(Operation), operations)
    await session.execute(insert(Obligation), obligations)
    await session.execute(insert(Correction), corrections)
    await _move_positions(session, lines, as_of)
    return [row["id"] for row in operations]


async def _corrected(session: AsyncSession, lines: Sequence[Line]) -> dict[Place, Obligation]:
    """The lines that are to be corrected, by their places."""
    places = sorted({line.corrects for line in lines if line.corrects is not None})
    key = tuple_(Obligation.holder_id, Obligation.operation_id, Obligation.seq)
    found: dict[Place, Obligation] = {}
    for start in range(0, len(places), LOOKED_UP):
        rows = await session.scalars(select(Obligation).where(key.in_(places[start : start + LOOKED_UP])))
        found |= {(row.holder_id, row.operation_id, row.seq): row for row in rows}
    return found


def _about(line: Line, known: dict[Place, Obligation], alliance: Alliance, number: int) -> dict[str, Any]:
    """What a line takes from the one that it corrects: where that happened, and under which agreement."""
    if line.corrects is None:
        merchant_id = line.debtor_id if line.creditor_id == alliance.id else line.creditor_id
        about = {"merchant_id": merchant_id, "agreement_id": alliance.id, "agreement_version": 0, "reverses": None}
        return about | {"currency": "", "order_ref": None, "store": None}
    row = known.get(line.corrects)
    if row is None or {row.debtor_id, row.creditor_id} != {line.debtor_id, line.creditor_id}:
        raise NotFound(what="line", path=("lines", str(number)))
    names = ("merchant_id", "agreement_id", "agreement_version", "currency", "order_ref", "store")
    return {name: getattr(row, name) for name in names} | {"reverses": row.operation_id}


async def _move_positions(session: AsyncSession, lines: Sequence[Line], as_of: datetime) -> None:
    """Let positions follow; what one that is frozen comes to owe gives no headroom (A5)."""
    frozen = set(await session.scalars(select(MerchantRow.id).where(MerchantRow.frozen_since.is_not(None))))
    owed: Counter[uuid.UUID] = Counter()
    withheld: Counter[uuid.UUID] = Counter()
    for line in lines:
        owed[line.debtor_id] += line.amount
        owed[line.creditor_id] -= line.amount
        if line.debtor_id in frozen:
            withheld[line.creditor_id] += line.amount
    await add(session, owed, withheld)
    await make_room(session, as_of)
