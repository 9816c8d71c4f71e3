"""Putting the books of one holder right by booked operations, after rows were changed behind the ledger's back.

History is never edited. Of what the account says, what its entries, what its lots have left and what their history
comes to, most agree: that is the balance. Entries or allocations that are missing or too much are booked by an
operation of their own, against the issuer's suspense account, on behalf of the operation that was damaged; sums that
are kept beside (account, lot, what waits of an earn) are then set to what the history says. What an operation only says
of itself is taken as it is, once: a repair on its behalf says so. A hold that does not fit its lots is released.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from domain.base import new_id
from domain.ledger.model import AccountKind, OperationKind

POINTS, PENDING = AccountKind.POINTS.value, AccountKind.PENDING.value
Target = UUID | None
"""The operation that was damaged; None where none can be named."""


class CannotRepair(Exception):
    """No operation can bring these books into agreement; the message says which figures stay apart, and why."""


@dataclass(slots=True)
class LotFigures:
    """A lot as it is kept, and what its history comes to."""

    currency: str
    operation_id: UUID
    issuer_id: UUID
    granted: int
    remaining: int
    history: int
    held: int


@dataclass(slots=True)
class WaitingFigures:
    """What waits of an earn: grants as (number, most, remaining), and what the entries of it come to.

    At most all that was granted can be left of a grant; nothing more of one that became active.
    """

    currency: str
    grants: list[tuple[int, int, int]]
    entered: int

    @property
    def left(self) -> int:
        """What the grants have left."""
        return sum(remaining for _, _, remaining in self.grants)


@dataclass(slots=True)
class Figures:
    """All that is kept of a holder. Sums by operation count a repair with the operation it is on behalf of."""

    accounts: dict[tuple[str, str], int] = field(default_factory=dict)
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    entered: dict[tuple[UUID, str], int] = field(default_factory=dict)
    moved: dict[tuple[UUID, str], int] = field(default_factory=dict)
    lots: dict[UUID, LotFigures] = field(default_factory=dict)
    debts: dict[str, int] = field(default_factory=dict)
    waiting: dict[UUID, WaitingFigures] = field(default_factory=dict)
    issuers: dict[str, UUID] = field(default_factory=dict)


@dataclass(slots=True)
class Correction:
    """What is booked on behalf of one operation: entries by currency, of points and of points that wait; allocations
    by lot."""

    entries: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    allocations: dict[UUID, int] = field(default_factory=dict)


Corrections = dict[Target, Correction]


def correct(figures: Figures) -> Corrections:
    """What has to be booked so that entries and lots agree, operation by operation and in sum."""
    corrections: Corrections = defaultdict(Correction)
    currencies = {lot.currency for lot in figures.lots.values()} | {currency for _, currency in figures.entered}
    for currency in sorted(currencies):
        lots = {id_: lot for id_, lot in figures.lots.items() if lot.currency == currency}
        owed = figures.debts.get(currency, 0)
        left = sum(lot.remaining for lot in lots.values()) - owed
        history = sum(lot.history for lot in lots.values()) - owed
        entered = figures.entries.get((POINTS, currency), 0)
        balance = _most([entered, figures.accounts.get((POINTS, currency), 0), left, history])
        missing = {id_: amount for id_, lot in lots.items() if (amount := lot.remaining - lot.history)}
        damaged = _damaged(figures, currency)
        if history != balance == left:
            _allocate(corrections, missing, damaged)
            for id_, amount in missing.items():
                corrections[None].allocations[id_] = amount
                corrections[None].entries[currency] = corrections[None].entries.get(currency, 0) + amount
        for operation_id, amount in damaged.items():
            if amount:
                corrections[operation_id].entries[currency] = -amount
    _correct_waiting(figures, corrections)
    return {
        target: one
        for target, one in corrections.items()
        if any(one.entries.values()) or any(one.waiting.values()) or one.allocations
    }


def _correct_waiting(figures: Figures, corrections: Corrections) -> None:
    """Where account and grants agree that entries of points that wait are wrong, these are booked.

    What no earn accounts for (an activation that is no longer known as one of it) is booked on behalf of none.
    """
    for currency in sorted({earn.currency for earn in figures.waiting.values()}):
        earns = {id_: earn for id_, earn in figures.waiting.items() if earn.currency == currency}
        left = sum(earn.left for earn in earns.values())
        entered = figures.entries.get((PENDING, currency), 0)
        of_earns = sum(earn.entered for earn in earns.values())
        balance = _most([entered, figures.accounts.get((PENDING, currency), 0), left])
        if balance != left or balance == entered == of_earns:
            continue
        for id_, earn in earns.items():
            corrections[id_].waiting[currency] = earn.left - earn.entered
            earn.entered = earn.left
        corrections[None].waiting[currency] = of_earns - entered


def waiting_left(figures: Figures) -> list[tuple[UUID, int, int]]:
    """What each grant has left by the entries of its earn, as (earn, number, points), where that is not what it says.

    Which of several grants it was is not known: the first that can take the difference do.
    """
    found = []
    for id_, earn in figures.waiting.items():
        rest = earn.entered - earn.left
        for seq, most, remaining in earn.grants:
            if part := max(-remaining, min(most - remaining, rest)):
                found.append((id_, seq, remaining + part))
                rest -= part
    return found


def _most(values: list[int]) -> int:
    """The value that most have; of several, that of the first."""
    return max(values, key=values.count)


def _damaged(figures: Figures, currency: str) -> dict[UUID, int]:
    """By operation, what its entries say more than its lots."""
    operations = {id_ for id_, own in [*figures.entered, *figures.moved] if own == currency}
    found = {}
    for id_ in sorted(operations):
        if amount := figures.entered.get((id_, currency), 0) - figures.moved.get((id_, currency), 0):
            found[id_] = amount
    return found


def _allocate(corrections: Corrections, missing: dict[UUID, int], damaged: dict[UUID, int]) -> None:
    """Attribute what is missing of lots to operations whose entries say that they moved it; both are used up."""
    for operation_id, amount in damaged.items():
        for id_, part in missing.items():
            taken = min(abs(part), abs(amount)) * (1 if part > 0 else -1)
            if taken and (amount > 0) == (part > 0):
                corrections[operation_id].allocations[id_] = taken
                missing[id_] -= taken
                amount -= taken
        damaged[operation_id] = amount
    for id_ in [id_ for id_, part in missing.items() if not part]:
        del missing[id_]


async def load(connection: asyncpg.Connection, holder_id: UUID) -> Figures:
    """The figures of a holder, who is locked."""
    figures = Figures()
    for kind, currency, posted in await connection.fetch(
        "SELECT kind, currency, posted FROM account WHERE holder_id = $1", holder_id
    ):
        figures.accounts[kind, currency] = posted
    for kind, currency, operation_id, amount in await connection.fetch(_ENTRIES, holder_id):
        figures.entries[kind, currency] = figures.entries.get((kind, currency), 0) + amount
        if kind == POINTS:
            figures.entered[operation_id, currency] = amount
    for currency, amount in await connection.fetch(_ARCHIVED, holder_id):
        figures.entries[POINTS, currency] = figures.entries.get((POINTS, currency), 0) + amount
    for operation_id, currency, amount in await connection.fetch(_MOVED, holder_id):
        figures.moved[operation_id, currency] = amount
    for id_, *lot in await connection.fetch(_LOTS, holder_id):
        figures.lots[id_] = LotFigures(*lot)
    for operation_id, currency, entered, grants in await connection.fetch(_WAITING, holder_id):
        figures.waiting[operation_id] = WaitingFigures(currency, [tuple(grant) for grant in grants], entered)
    for currency, owed in await connection.fetch(_DEBTS, holder_id):
        figures.debts[currency] = owed
    for currency, issuer_id in await connection.fetch(_ISSUERS, holder_id):
        figures.issuers[currency] = issuer_id
    return figures


_ENTRIES = """
    SELECT e.account, e.currency, coalesce(p.target_id, e.operation_id), sum(e.amount)::bigint
    FROM entry e LEFT JOIN repair p USING (holder_id, operation_id) WHERE e.holder_id = $1 GROUP BY 1, 2, 3"""
_ARCHIVED = "SELECT currency, sum(points)::bigint FROM archived_sum WHERE holder_id = $1 GROUP BY 1"
_WAITING = """
    SELECT g.operation_id, g.currency, coalesce(e.amount, 0)::bigint,
           array_agg(ARRAY[g.seq, CASE WHEN g.activated_by IS NULL THEN g.granted ELSE g.remaining END, g.remaining]
                     ORDER BY g.seq)
    FROM pending_grant g
    LEFT JOIN (SELECT earn_id, sum(e.amount) AS amount
               FROM (SELECT operation_id AS earn_id, operation_id FROM pending_grant WHERE holder_id = $1
                     UNION SELECT target_id, operation_id FROM repair WHERE holder_id = $1
                     UNION SELECT reverses, id FROM operation WHERE holder_id = $1 AND reverses IS NOT NULL
                     UNION SELECT operation_id, activated_by FROM pending_grant WHERE holder_id = $1) AS of_earn
               JOIN entry e ON e.holder_id = $1 AND e.operation_id = of_earn.operation_id
               WHERE e.account = 'PENDING' GROUP BY 1) e ON e.earn_id = g.operation_id
    WHERE g.holder_id = $1 GROUP BY 1, 2, e.amount ORDER BY 1"""
_MOVED = """
    SELECT coalesce(p.target_id, m.operation_id), m.currency, sum(m.amount)::bigint
    FROM (SELECT holder_id, operation_id, currency, granted AS amount FROM lot
          UNION ALL
          SELECT t.holder_id, t.operation_id, l.currency, t.amount
          FROM allocation t JOIN lot l ON l.holder_id = t.holder_id AND l.id = t.lot_id
          UNION ALL SELECT holder_id, operation_id, currency, -points FROM debt
          UNION ALL SELECT holder_id, operation_id, currency, points FROM debt_payment) AS m
    LEFT JOIN repair p USING (holder_id, operation_id) WHERE m.holder_id = $1 GROUP BY 1, 2"""
_LOTS = """
    SELECT l.id, l.currency, l.operation_id, l.issuer_id, l.granted, l.remaining,
           (l.granted + coalesce(t.amount, 0))::bigint, coalesce(h.amount, 0)::bigint
    FROM lot l
    LEFT JOIN (SELECT lot_id, sum(amount) AS amount FROM allocation WHERE holder_id = $1 GROUP BY 1) t
         ON t.lot_id = l.id
    LEFT JOIN (SELECT a.lot_id, sum(a.amount) AS amount
               FROM hold h JOIN hold_allocation a ON a.holder_id = h.holder_id AND a.hold_id = h.id
               WHERE h.holder_id = $1 AND h.status = 'OPEN' GROUP BY 1) h ON h.lot_id = l.id
    WHERE l.holder_id = $1 ORDER BY l.id"""
_DEBTS = """
    SELECT currency, sum(points)::bigint
    FROM (SELECT currency, points FROM debt WHERE holder_id = $1
          UNION ALL SELECT currency, -points FROM debt_payment WHERE holder_id = $1) AS d GROUP BY 1"""
_ISSUERS = """
    SELECT DISTINCT ON (currency) currency, issuer_id
    FROM (SELECT currency, issuer_id, 0 AS n FROM lot WHERE holder_id = $1
          UNION ALL SELECT currency, counter_holder_id, 1 FROM entry
          WHERE holder_id = $1 AND counter_account NOT IN ('POINTS', 'PENDING')) AS i ORDER BY currency, n"""


async def book(
    connection: asyncpg.Connection,
    holder_id: UUID,
    corrections: Mapping[Target, Correction],
    accepted: Mapping[UUID, bytes],
    figures: Figures,
    taken: Collection[UUID] = (),
    *,
    why: str,
    as_of: datetime,
) -> dict[UUID, Target]:
    """Book corrections, an operation each; then set what is kept beside to what the history says.

    `accepted` are damaged operations as they are now (the entries of their leaves, empty for one that is gone), which
    the log's proof takes from then on; `taken` are operations and holds that the proof of the books takes as they are.
    Returns the operations made, and what each is on behalf of. Raises CannotRepair.
    """
    made: dict[UUID, Target] = {}
    running = dict(figures.entries)
    places = dict.fromkeys([*corrections, *accepted, *sorted(taken)])
    for target in places:
        one = corrections.get(target) or Correction()
        id_ = new_id()
        made[id_] = target
        await connection.execute(_OPERATION, holder_id, id_, _issuer(figures, one), as_of, OperationKind.REPAIR.value)
        moved = [((POINTS, c), a) for c, a in one.entries.items() if a]
        moved += [((PENDING, c), a) for c, a in one.waiting.items() if a]
        for seq, (account, amount) in enumerate(moved):
            running[account] = running.get(account, 0) + amount
            issuer_id = figures.issuers[account[1]]
            await connection.execute(_ENTRY, holder_id, id_, seq, *account, amount, issuer_id, running[account])
        await connection.executemany(
            "INSERT INTO allocation (holder_id, operation_id, lot_id, amount) VALUES ($1, $2, $3, $4)",
            [(holder_id, id_, lot_id, amount) for lot_id, amount in one.allocations.items()],
        )
        if target is not None:
            await connection.execute(_REPAIR, holder_id, id_, target, accepted.get(target, b""))
        note = "INSERT INTO operation_note (holder_id, operation_id, note) VALUES ($1, $2, $3)"
        await connection.execute(note, holder_id, id_, why)
    try:
        await connection.executemany(
            "UPDATE pending_grant SET remaining = $4 WHERE holder_id = $1 AND operation_id = $2 AND seq = $3",
            [(holder_id, *one) for one in waiting_left(figures)],
        )
        for statement in _SUMS:
            await connection.execute(statement, holder_id)
    except asyncpg.CheckViolationError as error:
        raise CannotRepair(f"what is left would be impossible: {error}") from None
    return made


def _issuer(figures: Figures, one: Correction) -> UUID:
    """At whose the operation is booked. Raises CannotRepair for a holder who never had points."""
    for currency in [*one.entries, *one.waiting, *figures.issuers]:
        if currency in figures.issuers:
            return figures.issuers[currency]
    raise CannotRepair("nothing says who issued these points")


_OPERATION = """
    INSERT INTO operation (holder_id, id, merchant_id, occurred_at, as_of, kind) VALUES ($1, $2, $3, $4, $4, $5)"""
_ENTRY = """
    INSERT INTO entry (holder_id, operation_id, seq, account, currency, amount, counter_holder_id, counter_account,
                       balance_after)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'SUSPENSE', $8)"""
_REPAIR = "INSERT INTO repair (holder_id, operation_id, target_id, accepted) VALUES ($1, $2, $3, $4)"
_SUMS = (
    f"""UPDATE lot SET remaining = h.history, held = h.held
        FROM ({_LOTS}) AS h (id, currency, operation_id, issuer_id, granted, remaining, history, held)
        WHERE lot.holder_id = $1 AND lot.id = h.id AND (lot.remaining, lot.held) <> (h.history, h.held)""",  # noqa: S608
    """INSERT INTO account (holder_id, kind, currency, posted)
       SELECT DISTINCT $1::uuid, account, currency, 0 FROM entry WHERE holder_id = $1 ON CONFLICT DO NOTHING""",
    """UPDATE account a SET posted = n.posted, debt = n.debt, held = n.held
       FROM (SELECT a.kind, a.currency,
                    (SELECT coalesce(sum(amount), 0) FROM entry e
                     WHERE e.holder_id = $1 AND e.account = a.kind AND e.currency = a.currency)
                    + (SELECT coalesce(sum(points), 0) FROM archived_sum s
                       WHERE a.kind = 'POINTS' AND s.holder_id = $1 AND s.currency = a.currency) AS posted,
                    CASE a.kind WHEN 'POINTS' THEN
                      (SELECT coalesce(sum(points), 0) FROM debt d WHERE d.holder_id = $1 AND d.currency = a.currency)
                      - (SELECT coalesce(sum(points), 0) FROM debt_payment d
                         WHERE d.holder_id = $1 AND d.currency = a.currency) ELSE 0 END AS debt,
                    CASE a.kind WHEN 'POINTS' THEN
                      (SELECT coalesce(sum(points), 0) FROM hold h
                       WHERE h.holder_id = $1 AND h.currency = a.currency AND h.status = 'OPEN') ELSE 0 END AS held
             FROM account a WHERE a.holder_id = $1) AS n
       WHERE a.holder_id = $1 AND a.kind = n.kind AND a.currency = n.currency""",
    """INSERT INTO sliding_expiry (holder_id, id, currency, span, expires_at)
       SELECT holder_id, sliding_id, currency, span, max(moved_to) FROM sliding_move
       WHERE holder_id = $1 GROUP BY 1, 2, 3, 4
       ON CONFLICT (holder_id, id) DO UPDATE SET expires_at = excluded.expires_at
       WHERE sliding_expiry.expires_at <> excluded.expires_at""",
    """UPDATE sliding_expiry s SET expires_at = l.least
       FROM (SELECT sliding_id, max(expires_at) AS least FROM lot
             WHERE holder_id = $1 AND sliding_id IS NOT NULL GROUP BY 1) AS l
       WHERE s.holder_id = $1 AND s.id = l.sliding_id AND s.expires_at < l.least""",
)


async def release_holds(
    connection: asyncpg.Connection, holder_id: UUID, holds: Collection[UUID], as_of: datetime
) -> list[UUID]:
    """Release those of these holds that are open; what they held is free once the sums are set."""
    ended = await connection.fetch(
        """UPDATE hold SET status = 'RELEASED', ended_as_of = $3, ended_at = clock_timestamp()
           WHERE holder_id = $1 AND id = ANY($2) AND status = 'OPEN' RETURNING id""",
        *(holder_id, list(holds), as_of),
    )
    return [row["id"] for row in ended]


def described(corrections: Mapping[Target, Correction], accepted: Iterable[UUID]) -> list[dict[str, Any]]:
    """For programs: on behalf of which operation (or hold), what; `pending` only where points wait."""
    told = [
        {
            "onBehalfOf": target and str(target),
            "entries": one.entries,
            "allocations": {str(lot_id): amount for lot_id, amount in one.allocations.items()},
        }
        | ({"pending": one.waiting} if one.waiting else {})
        for target, one in corrections.items()
    ]
    return told + [
        {"onBehalfOf": str(target), "entries": {}, "allocations": {}}
        for target in accepted
        if target not in corrections
    ]
