"""Positions as sums that postings and payments add to, whoever else does at the same time.

What a merchant can refuse is decided under its lock, over the row that was loaded with the batch; everything else only
adds, and so never waits for a decision. Rows are locked in order, in the last statement of a batch.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.clearing.rules import Owed, owed_later
from domain.ledger.request import Effect
from domain.ledger.rules import PendingState
from domain.ledger.store import Fixed

ALERT = """
    INSERT INTO exposure_alert (merchant_id, level, used, cap)
    SELECT merchant_id, level, used, cap FROM {w} WHERE level > before AND NOT EXISTS (
        SELECT FROM exposure_alert a WHERE a.merchant_id = {w}.merchant_id AND a.level = {w}.level
                                       AND a.raised_at > clock_timestamp() - interval '1 hour')
    RETURNING merchant_id, id, level, used, cap"""
EVENT = """
    INSERT INTO event (holder_id, id, kind, data, seen_by)
    SELECT merchant_id, id, 'CAP_ALERT', jsonb_build_object(
        'merchant', merchant_id, 'level', level, 'used', used::text, 'cap', cap::text), jsonb_build_array(merchant_id)
    FROM {w}_0"""

ADD = Fixed(
    """UPDATE exposure e SET owed = e.owed + more.owed, reserved = e.reserved + more.reserved,
                             withheld = e.withheld + more.withheld
       FROM (SELECT x.merchant_id, a.owed, a.reserved, a.withheld
             FROM unnest({0}::uuid[], {1}::numeric[], {2}::numeric[], {3}::numeric[])
                  AS a (merchant_id, owed, reserved, withheld)
             JOIN exposure x USING (merchant_id) ORDER BY x.merchant_id FOR UPDATE OF x) AS more
       WHERE e.merchant_id = more.merchant_id
       RETURNING e.merchant_id, old.level AS before, new.level, new.used, e.cap""",
    ("merchant_id", "owed", "reserved", "withheld"),
    (ALERT, EVENT),
)


@dataclass(slots=True)
class Standing:
    """A merchant's cap and what it has used of it, as the engine has it while it decides a batch; in millionths."""

    cap: int
    reserve: int | None
    promised: int
    withheld: int = 0

    @property
    def used(self) -> int:
        """Its position: what it owes and has reserved; what is withheld gives no headroom, and never any more."""
        return self.promised + max(0, self.withheld)

    def add(self, owed: int, reserved: int, withheld: int) -> None:
        """Take in what was decided."""
        self.promised += owed + reserved
        self.withheld += withheld

    def past_cap(self, more: int) -> int:
        """How far past the cap so much more would take it; what lowers a position takes it nowhere."""
        return max(0, self.used + more - self.cap) if more > 0 else 0


class _Exposures:
    """What capped merchants have used, by merchant."""

    shared_lock: tuple[int, int] | None = None
    part = ADD

    async def load(self, connection: asyncpg.Connection, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, Standing]:
        rows = await connection.fetch(
            """SELECT merchant_id, cap, reserve, owed + reserved AS promised, withheld
               FROM exposure WHERE merchant_id = ANY($1)""",
            keys,
        )
        return {id_: Standing(cap, reserve, int(promised), int(held)) for id_, cap, reserve, promised, held in rows}


EXPOSURES = _Exposures()


def change(lines: Iterable[Owed]) -> dict[uuid.UUID, int]:
    """What lines change of each party's position: they raise the debtor's and lower the creditor's."""
    moved: dict[uuid.UUID, int] = {}
    for line in lines:
        moved[line.debtor_id] = moved.get(line.debtor_id, 0) + line.amount
        moved[line.creditor_id] = moved.get(line.creditor_id, 0) - line.amount
    return moved


def raised(lines: Iterable[Owed]) -> dict[str, int]:
    """Whose positions lines would raise, and by how much, by the id of the merchant: what a promise reserves."""
    return {str(merchant_id): amount for merchant_id, amount in change(lines).items() if amount > 0}


def matured(effect: Effect) -> list[Owed]:
    """What the grants that an effect makes active make owed: at the version of their earn (A1)."""
    return [line for state, taken in effect.matured for line in owed_later(state.owed or [], -taken, state.granted)]


def owe(
    effect: Effect, lines: Sequence[Owed], capped: Collection[uuid.UUID], frozen: Collection[uuid.UUID] = ()
) -> None:
    """Let the positions of those who are capped follow what is owed; by who is frozen, it gives no headroom (A5)."""
    for merchant_id, amount in change(lines).items():
        if amount and merchant_id in capped:
            effect.adds.append((EXPOSURES, merchant_id, (amount, 0, 0)))
    for line in lines if frozen else ():
        if line.debtor_id in frozen and line.creditor_id in capped:
            effect.adds.append((EXPOSURES, line.creditor_id, (0, 0, line.amount)))


def set_aside(effect: Effect, states: Iterable[tuple[PendingState, int, int]], capped: Collection[uuid.UUID]) -> None:
    """Reserve what grants that wait will make owed: (grant, its points before, and after). A claim is none yet.

    What waits for room has none reserved.
    """
    moved: dict[uuid.UUID, int] = {}
    for state, before, after in states:
        if state.owed and state.room_of is None:
            for points, sign in ((before, -1), (after, 1)):
                for line in owed_later(state.owed, points, state.granted):
                    moved[line.debtor_id] = moved.get(line.debtor_id, 0) + sign * line.amount
    for merchant_id, amount in moved.items():
        if amount and merchant_id in capped:
            effect.adds.append((EXPOSURES, merchant_id, (0, amount, 0)))


def keep_ready(effect: Effect, reserves: Mapping[str, int], capped: Collection[uuid.UUID], sign: int = 1) -> None:
    """Reserve what a promise may make owed, as `raised` says; below zero, let it go."""
    for named, amount in reserves.items():
        if (merchant_id := uuid.UUID(named)) in capped:
            effect.adds.append((EXPOSURES, merchant_id, (0, sign * amount, 0)))


_NONE: Mapping[uuid.UUID, int] = {}
_ADD = text(
    f"WITH w AS ({ADD.text.format('(:merchants)', '(:owed)', '(:reserved)', '(:withheld)')}), "
    f"w_0 AS ({ALERT.format(w='w')}), w_1 AS ({EVENT.format(w='w')}) SELECT 1"
)


async def add(
    session: AsyncSession,
    owed: Mapping[uuid.UUID, int] = _NONE,
    withheld: Mapping[uuid.UUID, int] = _NONE,
    reserved: Mapping[uuid.UUID, int] = _NONE,
) -> None:
    """Add to what capped merchants owe, what is withheld from them and what they have reserved, in the caller's
    transaction."""
    if merchants := sorted({*owed, *withheld, *reserved}):
        values: dict[str, Any] = {"merchants": merchants}
        for name, amounts in (("owed", owed), ("reserved", reserved), ("withheld", withheld)):
            values[name] = [amounts.get(merchant_id, 0) for merchant_id in merchants]
        await session.execute(_ADD, values)
