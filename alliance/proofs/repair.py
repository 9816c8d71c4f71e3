"""Putting one holder's books right: the ledger's figures, and the operations that are not as they were sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from alliance.proofs.leaves import entry_of, read, version_of
from alliance.verify import BY_HOLDER
from domain.ledger import repair, stops, store
from domain.ledger.checks import CHECKS, TAKEN
from domain.ledger.verify import Difference, examine

_LEAVES = """
    SELECT holder_id, operation_id, salt, substr(hashes, 1, 32) AS hash, "index" AS place FROM log_leaf
    WHERE archived_by IS NULL
      AND (holder_id = $1 OR operation_id IN (SELECT operation_id FROM entry WHERE holder_id = $1)) ORDER BY "index" """
# Who gave to a holder, or was given by them: each side is compared where the other's rows are.
_OTHERS = """
    SELECT DISTINCT counter_holder_id FROM entry WHERE holder_id = $1 AND counter_account = 'POINTS'
    UNION SELECT $1::uuid"""

WHY_NOT = {
    "lot is what was granted less what was taken": "the lot is gone that points were taken of",
    "operation moves lots by what it moves accounts": "lots and entries that would have to be booked are impossible",
    "pending grants keep what neither activation nor reversal took": "nothing says until when these points wait",
    "pending account is the sum of its grants": "nothing says until when these points wait",
    "a lot that slides has a date of its wallet, not before its own": "nothing says when these points end",
}
"""Why a figure may stay apart, by the check that finds it."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What differed, what was booked for it, which holds were released; and what is for others than the ledger to mend
    (tiers, pools, what merchants owe)."""

    found: list[Difference]
    booked: list[dict[str, Any]]
    released: list[UUID]
    left: list[Difference]


async def put_right(
    connection: asyncpg.Connection, holder_id: UUID, *, who: str, why: str, as_of: datetime
) -> Repaired:
    """Book what brings a holder's books into agreement, and release the holder, in the caller's transaction.

    Raises CannotRepair if figures of the ledger would still differ.
    """
    await store.lock(connection, [holder_id], ())
    found = await _differing(connection, holder_id)
    changed, sealed = await _changed(connection, holder_id)
    taken = {UUID(one.what) for one in found if one.check in TAKEN}
    released = await repair.release_holds(connection, holder_id, taken, as_of)
    figures = await repair.load(connection, holder_id)
    corrections = repair.correct(figures)
    await repair.book(connection, holder_id, corrections, changed, figures, taken, why=why, as_of=as_of)
    left = await _differing(connection, holder_id)
    if hopeless := [one for one in left if one.check in CHECKS]:
        raise repair.CannotRepair("; ".join(map(_hopeless, hopeless)))
    await stops.release(connection, holder_id, who=who, as_of=as_of)
    booked = repair.described(corrections, dict.fromkeys([*changed, *sorted(taken)]))
    return Repaired(found + sealed, booked, released, left)


def _hopeless(one: Difference) -> str:
    why = WHY_NOT.get(one.check, "no booking changes that")
    figures = f"{one.what} {one.currency}: kept {one.kept}, proved {one.proved}"
    return f"{one.check}: {figures} ({why}; a backup may have the rows as they were)"


async def _differing(connection: asyncpg.Connection, holder_id: UUID) -> list[Difference]:
    """What of a holder differs, seen from wherever it is compared."""
    others: Sequence[UUID] = [row[0] for row in await connection.fetch(_OTHERS, holder_id)]
    return [one for one in await examine(connection, others, BY_HOLDER) if one.holder == str(holder_id)]


async def _changed(connection: asyncpg.Connection, holder_id: UUID) -> tuple[dict[UUID, bytes], list[Difference]]:
    """Operations that are not what was sealed nor what was accepted before, and what their leaves would be now; and
    the same as differences."""
    leaves = await connection.fetch(_LEAVES, holder_id)
    if not leaves:
        return {}, []
    known = await connection.fetch(
        "SELECT target_id, accepted FROM repair WHERE target_id = ANY($1)", [leaf["operation_id"] for leaf in leaves]
    )
    accepted = {tuple(row) for row in known}
    changed: dict[UUID, bytes] = {}
    told = []
    made = await read(connection, [(leaf["holder_id"], leaf["operation_id"]) for leaf in leaves])
    for leaf, rows in zip(leaves, made, strict=True):
        if rows is not None and version_of(rows, leaf["salt"], leaf["hash"]) is not None:
            continue
        entry = b"" if rows is None else entry_of(rows, leaf["salt"])
        if (leaf["operation_id"], entry) not in accepted:
            changed[leaf["operation_id"]] = entry
            check = "sealed operation is there" if rows is None else "operation is as it was sealed"
            what = f"{leaf['operation_id']} (leaf {leaf['place']})"
            told.append(Difference(check, str(leaf["holder_id"]), what, "", int(rows is not None), int(rows is None)))
    return changed, told
