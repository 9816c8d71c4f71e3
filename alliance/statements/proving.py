"""The proofs of a statement's lines: what opens each in its leaf, and the way from there to one checkpoint.

A file of JSON Lines beside the statement: first the checkpoint, then an object for every stretch of lines, in their
order. Hashes that lead to the root are shared by the lines of a stretch. Nothing but that is told of an operation.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.leaves import OBLIGATION
from alliance.proofs.lines import commitments, place_hash, salts_of
from alliance.proofs.model import LogCheckpoint
from alliance.proofs.queries import hashes_of, public_keys
from alliance.statements.errors import NotInCheckpoint
from alliance.statements.model import Head, LineRow
from alliance.statements.opening import FORMAT, Opening, to_row
from alliance.statements.queries import stretches
from domain.database import Database
from domain.errors import NotFound
from domain.ledger.merkle import multiproof_ranges

STRETCH = 1000
"""Lines a stretch: what is in memory at both ends, and shares hashes."""

_LEAVES = text("""
    SELECT operation_id, "index" AS place, salt, rest, substr(hashes, 1, 32) AS hash FROM log_leaf
    WHERE operation_id = ANY(:operations)""")
_MISSING = text("""
    SELECT EXISTS (
        SELECT FROM ((SELECT operation_id FROM obligation WHERE cycle_id = :cycle AND debtor_id = :party
                      ORDER BY operation_id DESC, seq DESC LIMIT 500)
                     UNION
                     (SELECT operation_id FROM obligation WHERE cycle_id = :cycle AND creditor_id = :party
                      ORDER BY operation_id DESC, seq DESC LIMIT 500)) AS newest
        WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.operation_id = newest.operation_id AND l."index" < :size))""")
_COLUMNS = ", ".join(f"t.{column}" for column in OBLIGATION.names)
_OBLIGATIONS = text(f"""
    SELECT t.operation_id, row_to_json(r)::text AS row
    FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
    JOIN obligation t USING (holder_id, operation_id) CROSS JOIN LATERAL (SELECT {_COLUMNS}) AS r
    ORDER BY t.operation_id, t.seq""")  # noqa: S608 - our own names


async def require_sealed(session: AsyncSession, head: Head, size: int | None) -> None:
    """Raises NotInCheckpoint unless the newest lines are in the log of that checkpoint, NotFound if there is none.

    Operations enter the log in the order in which they were committed: the newest come last.
    """
    asked = {"cycle": head.cycle_id, "party": head.merchant_id, "size": (await _checkpoint(session, size)).size}
    if await session.scalar(_MISSING, asked):
        raise NotInCheckpoint(size=asked["size"], path=("checkpoint",))


async def proofs(
    database: Database, head: Head, size: int | None, progress: Callable[[str, int], None]
) -> AsyncIterator[bytes]:
    """The file, for the checkpoint of so many leaves, or the newest. Raises NotFound, NotInCheckpoint."""
    done = 0
    async with database.reader() as session:
        checkpoint = await _checkpoint(session, size)
        keys = await public_keys(session)
    yield _line({"format": FORMAT, "checkpoint": checkpoint.note, "keys": keys, "stretch": STRETCH})
    async for rows in stretches(database, head, STRETCH):
        async with database.reader() as session:
            yield _line(await _stretch(session, head, rows, checkpoint.size))
        done += len(rows)
        progress("proofs", done)


async def _checkpoint(session: AsyncSession, size: int | None) -> LogCheckpoint:
    query = select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1)
    found = await session.scalar(query if size is None else query.where(LogCheckpoint.size == size))
    if found is None:
        raise NotFound(what="checkpoint", path=("checkpoint",))
    return found


async def _stretch(session: AsyncSession, head: Head, rows: Sequence[LineRow], size: int) -> dict[str, Any]:
    """What proves some lines: an opening each, none for a line whose leaf commits to no lines; and shared hashes."""
    operations = list({row.operation_id: row.holder_id for row in rows}.items())
    asked = {"holders": [holder for _, holder in operations], "operations": [id_ for id_, _ in operations]}
    leaves = {leaf.operation_id: leaf for leaf in await session.execute(_LEAVES, {"operations": asked["operations"]})}
    owed: dict[UUID, list[dict[str, Any]]] = {}
    for operation_id, row in await session.execute(_OBLIGATIONS, asked):
        owed.setdefault(operation_id, []).append(orjson.loads(row))
    openings: list[list[Any] | None] = []
    for row in rows:
        leaf = leaves.get(row.operation_id)
        if leaf is None or leaf.place >= size:
            raise NotInCheckpoint(size=size, path=("checkpoint",))
        openings.append(None if leaf.rest is None else to_row(_opening(head, row, leaf, owed[row.operation_id])))
    places = sorted({leaf.place for leaf in leaves.values() if leaf.rest is not None})
    ranges = multiproof_ranges(places, size) if places else []
    hashes = await hashes_of(session, ranges)
    nodes = b"".join(hashes[leaves] for leaves in ranges)
    return {"lines": openings, "nodes": b64encode(nodes).decode()}


def _opening(head: Head, row: LineRow, leaf: Any, owed: Sequence[dict[str, Any]]) -> Opening:
    terms_salt = leaf.salt[SALT_SIZE:]
    at = next(n for n, one in enumerate(owed) if one["seq"] == row.seq)
    made = commitments(owed, terms_salt)
    salt, place_salt = salts_of(terms_salt, row.seq)
    here = head.merchant_id == head.alliance_id or row.row["merchant_id"] == str(head.merchant_id)
    return Opening(
        index=leaf.place,
        leaf=leaf.hash,
        rest=leaf.rest,
        salt=salt,
        before=tuple(made[:at]),
        after=tuple(made[at + 1 :]),
        merchant=row.row["merchant_id"] if here else None,
        place=place_salt if here else place_hash(row.row, place_salt),
    )


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value) + b"\n"
