"""Putting one holder's books right: the ledger's figures, and the operations that are not as they were sealed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from alliance.proofs.leaves import entry_of, read, version_of
from domain.ledger import repair, stops, store

_LEAVES = """
    SELECT holder_id, operation_id, salt, substr(hashes, 1, 32) AS hash FROM log_leaf
    WHERE holder_id = $1 OR operation_id IN (SELECT operation_id FROM entry WHERE holder_id = $1) ORDER BY "index" """


async def put_right(
    connection: asyncpg.Connection, holder_id: UUID, *, who: str, why: str, as_of: datetime
) -> list[dict[str, Any]]:
    """Book what brings a holder's books into agreement, and release the holder, in the caller's transaction.

    Returns what was booked, on behalf of which operation. Raises CannotRepair.
    """
    await store.lock(connection, [holder_id], ())
    figures = await repair.load(connection, holder_id)
    corrections = repair.correct(figures)
    accepted = await _changed(connection, holder_id)
    await repair.book(connection, holder_id, corrections, accepted, figures, why=why, as_of=as_of)
    await stops.release(connection, holder_id, who=who, as_of=as_of)
    return repair.described(corrections, accepted)


async def _changed(connection: asyncpg.Connection, holder_id: UUID) -> dict[UUID, bytes]:
    """Operations that are not what was sealed nor what was accepted before, and what their leaves would be now."""
    leaves = await connection.fetch(_LEAVES, holder_id)
    if not leaves:
        return {}
    known = await connection.fetch(
        "SELECT target_id, accepted FROM repair WHERE target_id = ANY($1)", [leaf["operation_id"] for leaf in leaves]
    )
    accepted = {tuple(row) for row in known}
    changed = {}
    made = await read(connection, [(leaf["holder_id"], leaf["operation_id"]) for leaf in leaves])
    for leaf, rows in zip(leaves, made, strict=True):
        if rows is not None and version_of(rows, leaf["salt"], leaf["hash"]) is not None:
            continue
        entry = b"" if rows is None else entry_of(rows, leaf["salt"])
        if (leaf["operation_id"], entry) not in accepted:
            changed[leaf["operation_id"]] = entry
    return changed
