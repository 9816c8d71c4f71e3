"""Reading the log: checkpoints, keys, and proofs for many operations in a constant number of statements."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.proofs.canonical import SALT_SIZE
from alliance.proofs.leaves import LINES_SINCE, read, version_of, written
from alliance.proofs.lines import commitments
from alliance.proofs.model import Inclusion, Leaf, LogCheckpoint, LogKey, SignedCheckpoint
from domain.ledger.merkle import (
    Range,
    consistency_ranges,
    cover,
    fold,
    inclusion_ranges,
    kept_at,
)

Place = tuple[UUID, UUID]
"""Holder and operation."""

_LEAVES = text("""
    SELECT l."index" AS place, holder_id, operation_id, l.salt, substr(l.hashes, 1, 32) AS hash
    FROM unnest(CAST(:holders AS uuid[]), CAST(:operations AS uuid[])) AS asked (holder_id, operation_id)
    JOIN log_leaf l USING (holder_id, operation_id)""")
_NODES = text("""
    SELECT n."index", n.level, substr(hashes, 32 * n.level + 1, 32)
    FROM unnest(CAST(:indexes AS bigint[]), CAST(:levels AS int[])) AS n ("index", level)
    JOIN log_leaf l USING ("index")""")

_UNSEALED = text("""
    SELECT count(*), coalesce(extract(epoch FROM now() - min(booked_at)), 0)
    FROM (SELECT o.booked_at FROM operation o
          WHERE o.xid >= coalesce((SELECT c.xid FROM log_checkpoint c ORDER BY c.size DESC LIMIT 1),
                                  -9223372036854775808)
            AND NOT EXISTS (SELECT FROM log_leaf l WHERE l.operation_id = o.id AND l.holder_id = o.holder_id)
          ORDER BY o.xid LIMIT 10000) AS late""")


async def newest_checkpoint(session: AsyncSession) -> SignedCheckpoint | None:
    """What the sealer signed last; None while nothing is sealed."""
    row = await session.scalar(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1))
    return None if row is None else _signed(row)


async def unsealed(session: AsyncSession) -> tuple[int, float]:
    """How many operations are not in the log yet, counted to 10,000, and for how many seconds the oldest is booked."""
    row = (await session.execute(_UNSEALED)).one()
    return row[0], float(row[1])


async def public_keys(session: AsyncSession) -> list[str]:
    """The lines of all keys that ever signed, the newest last."""
    return list(await session.scalars(select(LogKey.key).order_by(LogKey.added_at, LogKey.key)))


async def inclusions(session: AsyncSession, places: Sequence[Place]) -> dict[Place, Inclusion]:
    """The proofs of operations in the tree of the newest checkpoint; those not sealed yet are left out."""
    asked = {"holders": [place[0] for place in places], "operations": [place[1] for place in places]}
    rows = (await session.execute(_LEAVES, asked)).all()
    checkpoint = await newest_checkpoint(session) if rows else None
    if checkpoint is None:
        return {}
    paths = {row.place: inclusion_ranges(row.place, checkpoint.size) for row in rows}
    hashes = await hashes_of(session, [leaves for path in paths.values() for leaves in path])
    made = await read(await driver(session), [(row.holder_id, row.operation_id) for row in rows])
    found = {}
    for row, leaf in zip(rows, made, strict=True):
        version = None if leaf is None else version_of(leaf, row.salt, row.hash)
        if leaf is None or version is None:
            continue  # changed since: nothing can prove it any more, and `verify` says so
        data, terms = map(orjson.loads, written(leaf, row.salt, version))
        path = tuple(hashes[leaves] for leaves in paths[row.place])
        salt, terms_salt = row.salt[:SALT_SIZE], row.salt[SALT_SIZE:]
        lines = commitments(terms.get("obligations", ()), terms_salt) if version >= LINES_SINCE else ()
        proved = Leaf(data, terms, salt, terms_salt, tuple(lines))
        found[row.holder_id, row.operation_id] = Inclusion(row.place, row.hash, proved, path, checkpoint)
    return found


async def inclusion_of(session: AsyncSession, index: int, leaf: Leaf) -> Inclusion | None:
    """The proof for a leaf that is kept elsewhere, with the hash that the log has there; None if it has none."""
    checkpoint = await newest_checkpoint(session)
    if checkpoint is None or not 0 <= index < checkpoint.size:
        return None
    path = inclusion_ranges(index, checkpoint.size)
    own = (index, index + 1)
    hashes = await hashes_of(session, [own, *path])
    return Inclusion(index, hashes[own], leaf, tuple(hashes[leaves] for leaves in path), checkpoint)


async def driver(session: AsyncSession) -> asyncpg.Connection:
    """The driver's own connection of a session, in the transaction that the session is in."""
    pooled = await (await session.connection()).get_raw_connection()
    connection: asyncpg.Connection = pooled.driver_connection
    return connection


async def consistency(session: AsyncSession, first: int, second: int) -> list[bytes] | None:
    """The proof that the log only grew from `first` to `second` leaves; None unless it has had so many."""
    newest = await newest_checkpoint(session)
    if newest is None or not 0 <= first <= second <= newest.size:
        return None
    ranges = consistency_ranges(first, second)
    hashes = await hashes_of(session, ranges)
    return [hashes[leaves] for leaves in ranges]


async def root_at(session: AsyncSession, size: int) -> bytes | None:
    """The root of the log when it had so many leaves; None if it never had."""
    newest = await newest_checkpoint(session)
    if not 0 <= size <= (newest.size if newest else 0):
        return None
    return (await hashes_of(session, [(0, size)]))[0, size]


async def hashes_of(session: AsyncSession, ranges: Iterable[Range]) -> dict[Range, bytes]:
    """The hashes of ranges of leaves, from the few nodes that cover each."""
    covers = {leaves: [kept_at(subtree) for subtree in cover(leaves)] for leaves in ranges}
    wanted = list({node for nodes in covers.values() for node in nodes})
    asked = {"indexes": [index for index, _ in wanted], "levels": [level for _, level in wanted]}
    nodes = {(index, level): hashed for index, level, hashed in await session.execute(_NODES, asked)}
    return {leaves: fold([nodes[node] for node in covering]) for leaves, covering in covers.items()}


def _signed(row: LogCheckpoint) -> SignedCheckpoint:
    return SignedCheckpoint(row.size, row.root, row.note, row.signed_at)
