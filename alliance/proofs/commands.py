"""Sealing: numbering operations and events, and adding operations to the log, a block a transaction.

Whatever happens between the steps, a block is in the log wholly or not at all. The caller holds SEALER_LOCK on the same
connection; without it two sealers would build the same block, and one of them fail.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from alliance.feed.numbering import CHANNEL, FEED, RENUMBER_EVENTS, number, waiting
from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.leaves import entry_and_rest, read
from alliance.proofs.notes import Checkpoint, PrivateKey
from domain.ledger.merkle import HASH_SIZE, cover, fold, grow, kept_at, leaf_hash

SEALER_LOCK = (0x7E55, 5)

SEALER = {
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
}
"""Settings of the sealer's connection. Everything it asks for is found by an index, whatever statistics (which may be
those of empty tables) say of reading whole tables; and statements are planned for the operations they are about."""

BLOCK = 5000
"""Operations a block: what is sealed in a fraction of a second, and held in memory."""

# Only what older transactions than every running one wrote: nothing can come to be before it any more. The order of an
# operation is (xid, id, holder); what is in the log already (after a restore) is left out.
_NEXT = """
    SELECT holder_id, id, xid FROM operation o
    WHERE xid >= $1 AND (xid, id, holder_id) > ($1, $2, $3)
      AND xid < $5
      AND (SELECT l."index" FROM log_leaf l WHERE l.operation_id = o.id AND l.holder_id = o.holder_id) IS NULL
    ORDER BY xid, id, holder_id LIMIT $4"""
_RUNNING = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

_FIRST = UUID(int=0)
_BEFORE_ALL = -(2**63)

# Of another server's transactions nothing is known but that they are past: operations come in the order of the time in
# their ids (UUIDv7), before all of this server's. (One number for all would have every block sort all of them.)
_RENUMBER = """
    UPDATE operation SET xid = ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - 4611686018427387904
    WHERE xid >= $1"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a block made of the log: its size now, and how many operations and events got their numbers."""

    size: int
    added: int


@dataclass(slots=True)
class _Head:
    """Where the log ends: the hashes that cover it, and the place of its last operation."""

    size: int
    frontier: list[bytes]
    xid: int
    operation_id: UUID
    holder_id: UUID


async def prepare(connection: asyncpg.Connection, keys: Sequence[PrivateKey]) -> None:
    """Publish the public halves of the keys that will sign; and if the database was restored into another server,
    whose transactions count from elsewhere, look through all operations once for those that are not in the log."""
    async with connection.transaction():
        await connection.executemany(
            "INSERT INTO log_key (key) VALUES ($1) ON CONFLICT DO NOTHING", [(str(key.public),) for key in keys]
        )
    # One snapshot for the whole look: an operation committed between two would seem to come from the future.
    async with connection.transaction(isolation="repeatable_read"):
        to_come = await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        if await connection.fetchval("SELECT max(xid) >= $1 FROM operation", to_come):
            await connection.execute(_RENUMBER, to_come)
            await connection.execute("UPDATE log_checkpoint SET xid = $1", _BEFORE_ALL)
        if await connection.fetchval("SELECT max(xid) >= $1 FROM event", to_come):
            await connection.execute(RENUMBER_EVENTS, to_come)


async def seal(connection: asyncpg.Connection, keys: Sequence[PrivateKey], limit: int = BLOCK) -> Sealed:
    """Add up to `limit` operations to the log and sign what it is then, with each of the keys; number events.

    The first key names the log. Raises LogDamaged if the log's own rows are not whole.
    """
    async with connection.transaction():
        head = await _head(connection)
        running = await connection.fetchval(_RUNNING)
        events = await waiting(connection, running, BLOCK)
        # Where not all are taken, neither are operations of later transactions: in the sequence they come after.
        before = events[-1].xid + 1 if len(events) == BLOCK else running
        rows = await connection.fetch(_NEXT, head.xid, head.operation_id, head.holder_id, limit, before)
        if len(rows) == limit:
            events = [event for event in events if event.xid < rows[-1]["xid"]]
        if rows:
            await _add(connection, keys, head, rows)
        if events:
            await number(connection, events, head.size, [row["xid"] for row in rows])
        if rows or events:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(FEED))
    return Sealed(head.size + len(rows), len(rows) + len(events))


async def _add(
    connection: asyncpg.Connection, keys: Sequence[PrivateKey], head: "_Head", rows: Sequence[asyncpg.Record]
) -> None:
    """Leaves of these operations, and the checkpoint after them."""
    random = os.urandom(2 * SALT_SIZE * len(rows))
    salts = [random[at : at + 2 * SALT_SIZE] for at in range(0, len(random), 2 * SALT_SIZE)]
    leaves = await read(connection, [(row["holder_id"], row["id"]) for row in rows])
    made = [entry_and_rest(leaf, salt) for leaf, salt in zip(leaves, salts, strict=True) if leaf]
    kept = grow(head.frontier, head.size, [leaf_hash(entry) for entry, _ in made])
    await connection.copy_records_to_table(
        "log_leaf",
        records=[
            (index, row["holder_id"], row["id"], salt, b"".join(nodes), rest)
            for index, (row, salt, nodes, (_, rest)) in enumerate(zip(rows, salts, kept, made, strict=True), head.size)
        ],
        columns=("index", "holder_id", "operation_id", "salt", "hashes", "rest"),
    )
    size, root = head.size + len(rows), fold(head.frontier)
    note = Checkpoint(keys[0].name, size, root).signed(keys)
    await connection.execute(
        "INSERT INTO log_checkpoint (size, root, note, xid) VALUES ($1, $2, $3, $4)",
        size,
        root,
        note,
        rows[-1]["xid"],
    )


# Both of one instant: who seals beside us writes both.
_END = """
    SELECT leaves."end", coalesce(newest.size, 0), newest.xid
    FROM (SELECT coalesce(max("index") + 1, 0) AS "end" FROM log_leaf) AS leaves
    LEFT JOIN (SELECT size, xid FROM log_checkpoint ORDER BY size DESC LIMIT 1) AS newest ON true"""


class LogDamaged(Exception):
    """Rows of the log are missing: nothing may be built on it. `tessera verify` says which."""


async def _head(connection: asyncpg.Connection) -> _Head:
    end, size, xid = await connection.fetchrow(_END)
    if end != size:
        raise LogDamaged(f"there are {end} leaves, and the newest checkpoint is of {size}")
    if not size:
        return _Head(0, [], _BEFORE_ALL, _FIRST, _FIRST)
    subtrees = [kept_at(subtree) for subtree in cover((0, end))]
    rows = await connection.fetch(
        'SELECT "index", holder_id, operation_id, hashes FROM log_leaf WHERE "index" = ANY($1)',
        [index for index, _ in subtrees],
    )
    leaves = {row["index"]: row for row in rows}
    if len(leaves) != len(subtrees):
        raise LogDamaged("leaves that complete a subtree are missing")
    frontier = [leaves[index]["hashes"][HASH_SIZE * level : HASH_SIZE * (level + 1)] for index, level in subtrees]
    if fold(frontier) != await connection.fetchval("SELECT root FROM log_checkpoint WHERE size = $1", end):
        raise LogDamaged("the newest checkpoint is not the root of the leaves")
    place = leaves[end - 1]
    return _Head(end, frontier, xid, place["operation_id"], place["holder_id"])
