"""Obligations as riders of a posting: written in the operation's transaction, into the cycle that is open then."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from alliance.clearing.model import Obligation, ObligationKind
from alliance.clearing.rules import Owed, divided, owed_json, owed_later, reversed_obligations
from alliance.settlement.commands import CYCLE_LOCK
from domain.base import new_id
from domain.errors import Refusal
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect, Needs

_OBLIGATION: Any = Obligation.__table__


class _OpenCycle:
    """The id of the open cycle. Its keys are the requests' clocks: the very first cycle opens at the earliest."""

    shared_lock: tuple[int, int] | None = CYCLE_LOCK

    async def load(self, connection: asyncpg.Connection, keys: Sequence[datetime]) -> dict[datetime, uuid.UUID]:
        find = "SELECT id FROM settlement_cycle WHERE status = 'OPEN'"
        cycle_id = await connection.fetchval(find)
        if cycle_id is None:
            await connection.execute(
                """INSERT INTO settlement_cycle (id, number, status, opens_at) VALUES ($1, 1, 'OPEN', $2)
                   ON CONFLICT DO NOTHING""",
                new_id(),
                min(keys),
            )
            cycle_id = await connection.fetchval(find)
        return dict.fromkeys(keys, cycle_id)


class _PastObligations:
    """What operations made owed, by (holder, operation)."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[tuple[uuid.UUID, uuid.UUID]]
    ) -> dict[tuple[uuid.UUID, uuid.UUID], list[Owed]]:
        rows = await connection.fetch(
            """SELECT asked.holder_id, asked.operation_id, kind, debtor_id, creditor_id, currency, points, price,
                      amount, agreement_id, agreement_version
               FROM unnest($1::uuid[], $2::uuid[]) AS asked (holder_id, operation_id)
               JOIN LATERAL (
                 SELECT o.* FROM obligation o
                 WHERE o.holder_id = asked.holder_id AND (o.operation_id = asked.operation_id OR o.operation_id IN (
                   SELECT p.activated_by FROM pending_grant p
                   WHERE p.holder_id = asked.holder_id AND p.operation_id = asked.operation_id))
               ) o ON true ORDER BY o.operation_id, o.seq""",
            [holder_id for holder_id, _ in keys],
            [operation_id for _, operation_id in keys],
        )
        found: dict[tuple[uuid.UUID, uuid.UUID], list[Owed]] = defaultdict(list)
        for holder_id, operation_id, kind, *rest in rows:
            found[holder_id, operation_id].append(Owed(ObligationKind(kind), *rest))
        return dict(found)


OPEN_CYCLE = _OpenCycle()
PAST_OBLIGATIONS = _PastObligations()


@dataclass(frozen=True, slots=True)
class Owing:
    """Rides on an earn, a redemption or an exchange: writes what it makes owed."""

    lines: tuple[Owed, ...]
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line."""
        _write(effect, self.lines, books.other(OPEN_CYCLE, self.as_of))


@dataclass(frozen=True, slots=True)
class OwingDecided:
    """Rides on a redemption whose points are decided with it: `owed` says what so many of them make owed."""

    owed: Callable[..., tuple[Owed, ...]]
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line. Raises InvalidInput for a sum that is too large."""
        _write(effect, self.owed(points=effect.points), books.other(OPEN_CYCLE, self.as_of))


@dataclass(frozen=True, slots=True)
class OwingEarned:
    """Rides on an earn in parts: `owed` says what so many points make owed; what waits keeps its share (A1)."""

    owed: Callable[..., tuple[Owed, ...]]
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line for what is active; the lines of what waits lie with it."""
        if not effect.points:
            return
        currency = effect.entries[0].currency
        waiting = [state for state in effect.pending if state.currency == currency]
        active = sum(lot.granted for lot in effect.lots if lot.currency == currency)
        weights = [active, *(state.granted for state in waiting)]
        now, *later = divided(self.owed(points=effect.points), weights)
        _write(effect, now, books.other(OPEN_CYCLE, self.as_of))
        for state, lines in zip(waiting, later, strict=True):
            state.owed = owed_json(lines) or None


@dataclass(frozen=True, slots=True)
class OwingMatured:
    """Rides on an activation: what its points make owed is owed from now, at the version of the earn (A1)."""

    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The open cycle, held open until the batch is written."""
        needs.other(OPEN_CYCLE, self.as_of)

    def ride(self, books: Books, effect: Effect) -> None:
        """One row a line."""
        lines = [
            line for state, taken in effect.matured for line in owed_later(state.owed or [], -taken, state.granted)
        ]
        _write(effect, lines, books.other(OPEN_CYCLE, self.as_of))
        if (past := books.others.get(PAST_OBLIGATIONS)) is not None:
            earn = (effect.holder_id, effect.matured[0][0].operation_id)
            past[earn] = [*past.get(earn, ()), *lines]


@dataclass(frozen=True, slots=True)
class OwingBack:
    """Rides on a reversal: negative lines in the open cycle, at the original's version and price (A1, A7)."""

    holder_id: uuid.UUID
    operation_id: uuid.UUID
    as_of: datetime

    def needs(self, needs: Needs) -> None:
        """The open cycle, and what the original made owed."""
        needs.other(OPEN_CYCLE, self.as_of)
        needs.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id))

    def ride(self, books: Books, effect: Effect) -> None:
        """As much as the points that moved: all returns sum to the whole, where all of it is recovered."""
        original = books.operation(self.holder_id, self.operation_id)
        lines = books.other(PAST_OBLIGATIONS, (self.holder_id, self.operation_id))
        if original is None or not lines:
            return
        points = abs(original.entries[0].amount)
        if original.kind == OperationKind.EARN:
            currency = original.entries[0].currency
            points = sum(lot.granted for lot in original.lots if lot.currency == currency)
        before = sum(one.recovered for one in original.returns)
        back = reversed_obligations(lines, before, before + effect.recovered, points)
        _write(effect, back, books.other(OPEN_CYCLE, self.as_of))


@dataclass(frozen=True, slots=True)
class Refusing:
    """Rides on what no agreement allows: so that the refusal is remembered with the key, as a rule's no is."""

    refusal: Refusal

    def needs(self, needs: Needs) -> None:
        """Nothing."""

    def ride(self, books: Books, effect: Effect) -> None:
        """Raises the refusal."""
        raise self.refusal


def _write(effect: Effect, lines: Sequence[Owed], cycle_id: uuid.UUID) -> None:
    operation = effect.operation
    for seq, line in enumerate(lines):
        row = {
            "holder_id": operation["holder_id"],
            "operation_id": operation["id"],
            "seq": seq,
            "cycle_id": cycle_id,
            "kind": line.kind.value,
            "debtor_id": line.debtor_id,
            "creditor_id": line.creditor_id,
            "currency": line.currency,
            "points": line.points,
            "price": line.price,
            "amount": line.amount,
            "agreement_id": line.agreement_id,
            "agreement_version": line.agreement_version,
            "merchant_id": operation["merchant_id"],
            "order_ref": operation["order_ref"],
            "store": operation["store"],
            "occurred_at": operation["occurred_at"],
            "reverses": operation["reverses"],
            "late": line.late,
        }
        effect.rows.append((_OBLIGATION, row))
